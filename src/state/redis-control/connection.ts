/**
 * Connections of the control side. A command is sent once: nothing is queued while the server is away
 * and nothing is sent again after a reconnect, since an increment might then count twice.
 */
import type { Redis } from 'ioredis';

export interface Node {
  readonly host: string;
  readonly port: number;
}

export interface Access {
  /** A server, `redis://` or `rediss://`, or `unix:/path`. */
  readonly url: string;
  /** For nodes that the server names and the URL does not. Default: those of the URL. */
  readonly username?: string;
  readonly password?: string;
  /** For a connection to come up, and for each answer. Default 2000. */
  readonly timeoutMilliseconds?: number;
}

/** A server did not answer, or refused. */
export class StoreControlError extends Error {
  readonly code: string;
  /** `host:port` or the socket's path. */
  readonly peer: string;

  constructor(code: string, peer: string, message: string) {
    super(`${peer}: ${message}`);
    this.name = 'StoreControlError';
    this.code = code;
    this.peer = peer;
  }
}

export const nodeName = ({ host, port }: Node) => `${host}:${port}`;

/**
 * Opens a connection, uses it, and closes it.
 *
 * @param node another server than the URL's, with the same credentials
 * @throws {StoreControlError} `ERR_STORE_UNREACHABLE`, `ERR_STORE_REFUSED`
 */
export async function withServer<T>(
  access: Access,
  use: (server: Redis) => Promise<T>,
  node?: Node,
): Promise<T> {
  const { timeoutMilliseconds = 2000 } = access;
  const options = optionsOf(access, node);
  const peer = node ? nodeName(node) : (options.path ?? `${options.host}:${options.port}`);
  // Loaded when it is needed: lanes whose state is elsewhere start sooner without.
  const client = await import('ioredis');
  const server = new client.Redis({
    ...options,
    lazyConnect: true,
    enableOfflineQueue: false,
    autoResendUnfulfilledCommands: false,
    maxRetriesPerRequest: 0,
    retryStrategy: null,
    connectTimeout: timeoutMilliseconds,
    commandTimeout: timeoutMilliseconds,
    disableClientInfo: true,
    enableReadyCheck: false,
  });
  let cause: Error | undefined;
  server.on('error', (error) => {
    cause = error;
  });
  try {
    try {
      await server.connect();
    } catch (error) {
      throw asControlError(peer, cause ?? (error as Error), 'ERR_STORE_UNREACHABLE');
    }
    return await use(server).catch((error: Error) => {
      throw asControlError(peer, error, 'ERR_STORE_REFUSED');
    });
  } finally {
    server.disconnect();
  }
}

interface ServerAddress {
  readonly path?: string;
  readonly host?: string;
  readonly port?: number;
  readonly username?: string;
  readonly password?: string;
  readonly db?: number;
  readonly tls?: object;
}

function optionsOf(access: Access, node: Node | undefined): ServerAddress {
  const { username, password } = access;
  const given = { ...(username && { username }), ...(password && { password }) };
  const own = fromUrl(access.url);
  if (!node) return { ...own, ...given };
  const { path: _, host: __, port: ___, ...rest } = own;
  return { ...rest, ...given, ...node };
}

function fromUrl(url: string): ServerAddress {
  if (url.startsWith('unix:')) return { path: url.slice('unix:'.length) };
  let parsed: URL;
  try {
    parsed = new URL(url);
  } catch {
    throw new StoreControlError('ERR_STORE_URL', url, 'is no URL: redis://host:port, unix:/path');
  }
  const { protocol, hostname, port, username, password, pathname } = parsed;
  if (protocol !== 'redis:' && protocol !== 'rediss:') {
    throw new StoreControlError(
      'ERR_STORE_URL',
      url,
      `the control side does not speak ${protocol}`,
    );
  }
  return {
    host: hostname.replace(/^\[|\]$/g, ''),
    port: port === '' ? 6379 : Number(port),
    ...(username && { username: decodeURIComponent(username) }),
    ...(password && { password: decodeURIComponent(password) }),
    ...(pathname.length > 1 && { db: Number(pathname.slice(1)) }),
    ...(protocol === 'rediss:' && { tls: {} }),
  };
}

/** The client's errors have no code of ours; an error that has one is its thrower's word. */
function asControlError(peer: string, error: Error & { code?: string }, code: string): Error {
  if (error.code?.startsWith('ERR_')) return error;
  const refused = /NOAUTH|WRONGPASS|NOPERM|DENIED/.test(error.message);
  return new StoreControlError(refused ? 'ERR_STORE_REFUSED' : code, peer, error.message);
}
