/**
 * Where a server is, as a URL says it: `unix:/path`; `redis:`, `rediss:` and `rdma:` with host and port;
 * `redis+sentinel:` with the sentinels and the name that they watch; `redis+cluster:` and `rediss+cluster:`
 * with some nodes of a cluster.
 */
import { readFileSync } from 'node:fs';
import { isIP } from 'node:net';
import { rootCertificates } from 'node:tls';
import type { NativeServer } from '../../native.ts';

export interface Host {
  readonly host: string;
  readonly port: number;
}

/** What the native client needs to find the server and to be let in, and who may say where it is. */
export interface ServerAddress extends NativeServer {
  /** Who knows where the primary is; host and port are theirs to say. */
  readonly watch?: { readonly sentinels: readonly Host[]; readonly name: string };
  /** Nodes of a cluster, any of which knows the others. */
  readonly seeds?: readonly Host[];
}

/** A URL of a store that says nothing that can be connected to. */
export class StoreUrlError extends Error {
  readonly code = 'ERR_STORE_URL';
  /** Without the URL. */
  readonly why: string;

  constructor(url: string, why: string) {
    super(`store ${withoutPassword(url)}: ${why}`);
    this.name = 'StoreUrlError';
    this.why = why;
  }
}

const schemes = [
  'redis',
  'rediss',
  'rdma',
  'redis+sentinel',
  'redis+cluster',
  'rediss+cluster',
] as const;
const sentinelPort = 26_379;

/**
 * @throws {StoreUrlError} saying what is wrong with which part
 * @example parseAddress('rediss://nat:secret@store.example:6380/2?ca=/etc/rxnf/ca.pem')
 * @example parseAddress('redis+sentinel://10.0.0.1:26379,10.0.0.2:26379/nat')
 * @example parseAddress('redis+cluster://nat:secret@10.0.0.1:6379,10.0.0.2:6379')
 */
export function parseAddress(text: string): ServerAddress {
  if (text.startsWith('unix:')) return unixAddress(text);
  const parts = /^([a-z+]+):\/\/(?:([^@/]*)@)?([^/?]*)(\/[^?]*)?(?:\?(.*))?$/.exec(text);
  if (!parts) throw new StoreUrlError(text, 'not a URL, as redis://HOST:PORT');
  const [, word = '', user = '', authority = '', pathname = '', query = ''] = parts;
  const scheme = schemes.find((known) => known === word);
  if (!scheme) throw new StoreUrlError(text, `${word} is none of unix, ${schemes.join(', ')}`);
  const common = credentials(text, user);
  if (scheme === 'redis+sentinel') {
    const [, name = '', ...rest] = pathname.split('/');
    if (name === '') throw new StoreUrlError(text, 'no name of what the sentinels watch');
    const sentinels = authority.split(',').map((host) => hostOf(text, host, sentinelPort));
    const number = database(text, rest.length === 0 ? '' : `/${rest.join('/')}`);
    return { scheme: 'redis', ...common, database: number, watch: { sentinels, name } };
  }
  if (scheme === 'redis+cluster' || scheme === 'rediss+cluster') {
    if (pathname !== '' && pathname !== '/')
      throw new StoreUrlError(text, 'a cluster has one database only');
    const seeds = authority.split(',').map((host) => hostOf(text, host, 6379));
    const secured = scheme === 'rediss+cluster';
    return {
      ...common,
      scheme: secured ? 'rediss' : 'redis',
      ...(secured && security(text, new URLSearchParams(query))),
      seeds,
    };
  }
  const host = hostOf(text, authority, 6379);
  if (scheme === 'rdma' && isIP(host.host) === 0)
    throw new StoreUrlError(text, `${host.host} is a name: RDMA wants the server's IP address`);
  return {
    scheme,
    ...host,
    ...common,
    database: database(text, pathname),
    ...(scheme === 'rediss' && security(text, new URLSearchParams(query))),
  };
}

/** For reports: a URL as it may be shown. */
export function withoutPassword(url: string): string {
  return url.replace(/(:\/\/[^/@]*:)[^@/]*@/, '$1***@');
}

function unixAddress(text: string): ServerAddress {
  const path = text.slice('unix:'.length);
  if (path.startsWith('//')) throw new StoreUrlError(text, 'a path begins with one slash');
  if (!path.startsWith('/') || path === '/') throw new StoreUrlError(text, 'not an absolute path');
  // sun_path has 108 bytes with the zero that ends it (unix(7)).
  const size = Buffer.byteLength(path);
  if (size > 107) throw new StoreUrlError(text, `the path has ${size} bytes; 107 are allowed`);
  return { scheme: 'unix', path };
}

function hostOf(text: string, authority: string, otherwise: number): Host {
  const parts = /^(?:\[([\da-fA-F:.]+)\]|([^:[\]]+))(?::(\d{1,5}))?$/.exec(authority);
  const host = parts?.[1] ?? parts?.[2];
  if (host === undefined) {
    throw new StoreUrlError(
      text,
      authority === '' ? 'no host' : `${authority} is no host and port`,
    );
  }
  const port = Number(parts?.[3] ?? otherwise);
  if (port < 1 || port > 65_535) throw new StoreUrlError(text, `${port} is no port`);
  return { host, port };
}

function credentials(text: string, user: string): { username?: string; password?: string } {
  if (user === '') return {};
  const [username = '', ...rest] = user.split(':');
  const password = rest.join(':');
  if (password === '') throw new StoreUrlError(text, 'a user without a password');
  return {
    ...(username !== '' && { username: decodeURIComponent(username) }),
    password: decodeURIComponent(password),
  };
}

function database(text: string, pathname: string): number {
  if (pathname === '' || pathname === '/') return 0;
  if (!/^\/\d{1,5}$/.test(pathname))
    throw new StoreUrlError(text, 'what follows the port is not the number of a database');
  return Number(pathname.slice(1));
}

/** Files of certificates that are named after the question mark: `rediss://host?ca=/etc/ca.pem`. */
const fileParameters = new Map([
  ['ca', 'authorities'],
  ['cert', 'certificate'],
  ['key', 'privateKey'],
]);

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
