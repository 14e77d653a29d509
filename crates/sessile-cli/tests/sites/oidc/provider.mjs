// An OpenID provider with rotating refresh tokens, and a website that takes its access tokens.
//
// Listens on two free ports of loopback and prints both addresses as one line of JSON. What happens
// at the token endpoint is written to the file named by OIDC_LOG, a line of JSON each.
//
//   OIDC_MODULES        the directory in which the package `oidc-provider` is installed
//   OIDC_LOG            the log
//   OIDC_TOKEN_SECONDS  how long an access token lives; 3600 unless set

import { createHash } from 'node:crypto';
import { appendFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { createRequire } from 'node:module';
import { pathToFileURL } from 'node:url';

const installed = createRequire(`${process.env.OIDC_MODULES}/`).resolve('oidc-provider');
const { default: Provider } = await import(pathToFileURL(installed));

const lifetime = Number(process.env.OIDC_TOKEN_SECONDS ?? 3600);

const clients = [
  {
    client_id: 'app',
    application_type: 'native',
    token_endpoint_auth_method: 'none',
    redirect_uris: ['http://127.0.0.1/callback'],
    grant_types: ['authorization_code', 'refresh_token'],
    response_types: ['code'],
  },
  {
    client_id: 'television',
    application_type: 'native',
    token_endpoint_auth_method: 'none',
    redirect_uris: [],
    grant_types: ['urn:ietf:params:oauth:grant-type:device_code', 'refresh_token'],
    response_types: [],
  },
  {
    client_id: 'robot',
    client_secret: 'robot secret: 100%',
    redirect_uris: [],
    grant_types: ['client_credentials'],
    response_types: [],
  },
];

const server = await listening(createServer());
const provider = new Provider(server.url, {
  clients,
  clientDefaults: { id_token_signed_response_alg: 'RS256' },
  cookies: { keys: ['a key for tests'] },
  features: {
    clientCredentials: { enabled: true },
    devInteractions: { enabled: true },
    deviceFlow: { enabled: true },
  },
  findAccount: (_context, id) => ({ accountId: id, claims: () => ({ sub: id }) }),
  issueRefreshToken: () => true,
  rotateRefreshToken: true,
  scopes: ['openid', 'offline_access', 'orders'],
  ttl: { AccessToken: lifetime, ClientCredentials: lifetime, RefreshToken: 86400 },
});

provider.on('grant.success', (context) => log('granted', context));
provider.on('grant.error', (context, error) => log('refused', context, error));
server.on('request', provider.callback());

// The website: whoever has a living token sees the orders.
const refused = new Set();
const seen = new Set();
const grants = new Set();
provider.on('refresh_token.saved', (token) => grants.add(token.grantId));
const site = await listening(
  createServer(async (request, response) => {
    if (request.url === '/forget') {
      seen.forEach((token) => refused.add(token));
      return response.end('no token seen so far is good any more\n');
    }
    if (request.url === '/forget-grants') {
      await Promise.all([...grants].map((grant) => provider.RefreshToken.revokeByGrantId(grant)));
      return response.end('no refresh token given out so far is good any more\n');
    }
    const token = /^Bearer (.+)$/.exec(request.headers.authorization ?? '')?.[1];
    const who = token && !refused.has(token) && (await owner(token));
    if (!who) {
      response.writeHead(401, { 'www-authenticate': 'Bearer' });
      return response.end('no\n');
    }
    seen.add(token);
    response.end(`the orders of ${who}\n`);
  }),
);

console.log(JSON.stringify({ issuer: server.url, site: site.url }));

async function owner(token) {
  const found =
    (await provider.AccessToken.find(token)) ?? (await provider.ClientCredentials.find(token));
  return found?.isValid && (found.accountId ?? found.clientId);
}

function log(what, context, error) {
  const parameters = context.oidc?.params ?? {};
  const used = parameters.refresh_token;
  const line = {
    what,
    grant: parameters.grant_type,
    // Which refresh token it was, without saying it.
    refresh: used && createHash('sha256').update(used).digest('hex').slice(0, 16),
    error: error?.error,
    detail: error?.error_detail,
  };
  appendFileSync(process.env.OIDC_LOG, `${JSON.stringify(line)}\n`);
}

async function listening(server) {
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  server.url = `http://127.0.0.1:${server.address().port}`;
  return server;
}
