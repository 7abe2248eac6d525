/** Where a server is, as a URL says it: `unix:/path`, `redis:`, `rediss:` and `rdma:` with host and port. */
import { readFileSync } from 'node:fs';
import { rootCertificates } from 'node:tls';

/** What the native client needs to find the server and to be let in. */
export interface ServerAddress {
  readonly scheme: 'unix' | 'redis' | 'rediss' | 'rdma';
  readonly path?: string;
  readonly host?: string;
  readonly port?: number;
  readonly username?: string;
  readonly password?: string;
  readonly database?: number;
  /** PEM; for `rediss`. */
  readonly authorities?: string;
  readonly serverName?: string;
  readonly certificate?: string;
  readonly privateKey?: string;
}

/** A URL of a store that says nothing that can be connected to. */
export class StoreUrlError extends Error {
  readonly code = 'ERR_STORE_URL';

  constructor(url: string, why: string) {
    super(`store ${withoutPassword(url)}: ${why}`);
    this.name = 'StoreUrlError';
  }
}

/** Files of certificates that are named after the question mark: `rediss://host?ca=/etc/ca.pem`. */
const fileParameters = new Map([
  ['ca', 'authorities'],
  ['cert', 'certificate'],
  ['key', 'privateKey'],
]);

/**
 * @throws {StoreUrlError} saying what is wrong with which part
 * @example parseAddress('rediss://nat:secret@store.example:6380/2?ca=/etc/rxnf/ca.pem')
 */
export function parseAddress(text: string): ServerAddress {
  if (text.startsWith('unix:')) return unixAddress(text);
  if (!URL.canParse(text))
    throw new StoreUrlError(text, 'is no URL: redis://HOST:PORT, unix:/PATH');
  const url = new URL(text);
  const scheme = url.protocol.slice(0, -1);
  if (scheme !== 'redis' && scheme !== 'rediss' && scheme !== 'rdma')
    throw new StoreUrlError(text, `${scheme} is none of unix, redis, rediss and rdma`);
  if (url.hostname === '') throw new StoreUrlError(text, 'has no host');
  if (url.username !== '' && url.password === '')
    throw new StoreUrlError(text, `has a user, ${url.username}, and no password`);
  return {
    scheme,
    host: url.hostname.replace(/^\[|\]$/g, ''),
    port: url.port === '' ? 6379 : Number(url.port),
    ...(url.username !== '' && { username: decodeURIComponent(url.username) }),
    ...(url.password !== '' && { password: decodeURIComponent(url.password) }),
    database: database(text, url.pathname),
    ...(scheme === 'rediss' && security(text, url.searchParams)),
  };
}

/** For reports: a URL as it may be shown. */
export function withoutPassword(url: string): string {
  return url.replace(/(:\/\/[^/@]*:)[^@/]*@/, '$1***@');
}

function unixAddress(text: string): ServerAddress {
  const path = text.slice('unix:'.length);
  if (!path.startsWith('/') || path.startsWith('//') || path === '/')
    throw new StoreUrlError(text, 'is not unix: and the absolute path of a socket');
  // sun_path has 108 bytes with the zero that ends it (unix(7)).
  if (Buffer.byteLength(path) > 107)
    throw new StoreUrlError(text, `the path has ${Buffer.byteLength(path)} bytes; 107 are allowed`);
  return { scheme: 'unix', path };
}

function database(text: string, pathname: string): number {
  if (pathname === '' || pathname === '/') return 0;
  if (!/^\/\d{1,5}$/.test(pathname))
    throw new StoreUrlError(text, `${pathname} after the port is not the number of a database`);
  return Number(pathname.slice(1));
}

/** The server's certificate is always checked: against the files named, or those that Node ships. */
function security(text: string, parameters: URLSearchParams): Partial<ServerAddress> {
  const given: Record<string, string> = {};
  for (const [name, value] of parameters) {
    const field = fileParameters.get(name);
    if (name === 'name') given['serverName'] = value;
    else if (field !== undefined) given[field] = contents(text, name, value);
    else throw new StoreUrlError(text, `does not know ${name}: ca, cert, key and name are known`);
  }
  if ((given['certificate'] === undefined) !== (given['privateKey'] === undefined))
    throw new StoreUrlError(text, 'cert and key need each other');
  return { authorities: rootCertificates.join('\n'), ...given };
}

function contents(text: string, name: string, file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch (error) {
    throw new StoreUrlError(text, `${name}: ${(error as Error).message}`);
  }
}
