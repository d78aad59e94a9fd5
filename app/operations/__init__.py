"""Operations: the processes of the installation, and what waits for them."""
