import { describe, expect, it } from "vitest";
import { TYPES, formOf, pointersOf, readHosts, readSecret } from "./types";

function filledIn(entries: [string, string][]): FormData {
  const form = new FormData();
  for (const [name, value] of entries) form.append(name, value);
  return form;
}

describe("the secret of a form", () => {
  it("has what its type asks for, and leaves out what is optional and empty", () => {
    const form = filledIn([
      ["secret.token_url", "https://auth.example/token"],
      ["secret.client_id", "shop"],
      ["secret.client_secret", " kept as typed "],
      ["secret.scope", ""],
      ["secret.client_auth", "post"],
    ]);
    expect(readSecret("oauth2_client_credentials", form)).toEqual({
      token_url: "https://auth.example/token",
      client_id: "shop",
      client_secret: " kept as typed ",
      client_auth: "post",
    });
  });

  it("has both a user name and a password, also an empty one", () => {
    expect(readSecret("basic", filledIn([["secret.username", "key"], ["secret.password", ""]]))).toEqual({ username: "key", password: "" });
  });

  it("has what is required also where it is empty, so that the API says so", () => {
    expect(readSecret("bearer", filledIn([["secret.token", ""]]))).toEqual({ token: "" });
  });

  it("has the headers that have a name", () => {
    const form = filledIn([
      ["header.name", " X-One "],
      ["header.value", "1"],
      ["header.name", ""],
      ["header.value", "lost"],
      ["header.name", "X-Two"],
      ["header.value", "2"],
    ]);
    expect(readSecret("custom_headers", form)).toEqual({ headers: { "X-One": "1", "X-Two": "2" } });
  });
});

describe("the types of connections", () => {
  it.each(TYPES)("%s has a name of its own, and its faults stand at its fields", (type) => {
    expect(formOf(type).label).not.toBe(type);
    expect(pointersOf(type).filter((pointer) => pointer.startsWith("/secret/")).length).toBeGreaterThan(0);
  });

  it("of a newer release are called by their own names", () => {
    expect(formOf("kerberos").label).toBe("kerberos");
  });
});

describe("hosts", () => {
  it("are read by lines and commas", () => {
    expect(readHosts(" api.example.com \n\n*.example.org, other.example:8443 ")).toEqual([
      "api.example.com",
      "*.example.org",
      "other.example:8443",
    ]);
    expect(readHosts(" \n ")).toEqual([]);
  });
});
