// An OpenID provider for tests: a real one, on a free port of this machine. Its first line is its issuer.
//
// OIDC_TEST holds {redirect_uri, people: {subject: claims}}. Whoever types the subject at its sign-in form is that person.
// It ends when its standard input does: no test leaves one behind.
import { createServer } from "node:http";
import { Provider } from "oidc-provider";

const { redirect_uri, people } = JSON.parse(process.env.OIDC_TEST);

function makeClient(client_id, more) {
  return { client_id, redirect_uris: [redirect_uri], response_types: ["code"], grant_types: ["authorization_code"], ...more };
}

const server = createServer();
server.listen(0, "127.0.0.1", () => {
  const issuer = `http://127.0.0.1:${server.address().port}`;
  const provider = new Provider(issuer, {
    clients: [
      makeClient("flowforge", { client_secret: "a secret of forty-eight characters, for tests only" }),
      makeClient("flowforge-post", {
        client_secret: "a secret of forty-eight characters, for tests only",
        token_endpoint_auth_method: "client_secret_post",
      }),
      makeClient("flowforge-public", { token_endpoint_auth_method: "none" }),
    ],
    pkce: { required: () => true },
    cookies: { keys: ["a key for tests only"] },
    claims: { openid: ["sub"], email: ["email", "email_verified"], profile: ["name", "groups"] },
    findAccount: (_, subject) =>
      people[subject] && { accountId: subject, claims: async () => ({ sub: subject, ...people[subject] }) },
  });
  server.on("request", provider.callback());
  process.stdout.write(`${issuer}\n`);
});
process.stdin.on("end", () => process.exit(0)).resume();
