"""The bill of materials in the form of CycloneDX 1.6. The same locks give the same bytes: it tells no time."""

import hashlib
from collections.abc import Sequence
from uuid import UUID

from cyclonedx.model import HashAlgorithm, HashType
from cyclonedx.model.bom import Bom
from cyclonedx.model.component import Component, ComponentScope, ComponentType
from cyclonedx.model.license import DisjunctiveLicense
from cyclonedx.output.json import JsonV1Dot6
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator
from packageurl import PackageURL

from cli.security.materials import Material


class InvalidBillError(Exception):
    """What was made is no CycloneDX: a fault of FlowForge."""


def write_bill(materials: Sequence[Material], kind: str, root: str, version: str) -> str:
    """The document for packages of one kind (`pypi`, `npm`) that `root` is made of; raises InvalidBillError."""
    bom = Bom()
    # Without it the same locks give the same bytes.
    bom.metadata.timestamp = None  # type: ignore[assignment] # typed as always there
    bom.metadata.component = product = Component(
        type=ComponentType.APPLICATION, name=root, version=version, bom_ref=f"{root}@{version}"
    )
    components = {each.key: _make_component(each, kind) for each in materials}
    for component in components.values():
        bom.components.add(component)
    brought: set[str] = set()
    for each in materials:
        bom.register_dependency(components[each.key], [components[key] for key in each.brings])
        brought.update(each.brings)
    # What nobody brings is there for its own sake.
    bom.register_dependency(product, [components[key] for key in components.keys() - brought])
    told = "\n".join(f"{each.key} {each.version} {each.hashes}" for each in materials)
    bom.serial_number = UUID(bytes=hashlib.sha256(f"{root} {version}\n{told}".encode()).digest()[:16], version=4)
    document = JsonV1Dot6(bom).output_as_string(indent=2)
    if (fault := JsonStrictValidator(SchemaVersion.V1_6).validate_str(document)) is not None:
        raise InvalidBillError(str(fault))
    return document + "\n"


def _make_component(material: Material, kind: str) -> Component:
    namespace, _, name = material.name.rpartition("/")
    return Component(
        type=ComponentType.LIBRARY,
        group=namespace or None,
        name=name,
        version=material.version,
        scope=ComponentScope(material.scope),
        bom_ref=f"{kind}:{material.key}",
        purl=PackageURL(type=kind, namespace=namespace or None, name=name, version=material.version),
        hashes=[HashType(alg=HashAlgorithm(algorithm), content=digest) for algorithm, digest in material.hashes],
        licenses=[DisjunctiveLicense(name=material.licence)] if material.licence else None,
    )
