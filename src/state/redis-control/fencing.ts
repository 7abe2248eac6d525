/**
 * Fencing: an instance speaks to the store as a user of its own, made by `admit` with a name that is
 * never used again. `fence` deletes that user and cuts its connections on every node that is primary or
 * may become it (ACL changes are not replicated). What the instance had sent and a node had not yet
 * executed is refused, what it sends later too: nothing of it lands any more.
 */
import { randomBytes } from 'node:crypto';
import type { Redis } from 'ioredis';
import { type Access, type Node, nodeName, StoreControlError, withServer } from './connection.ts';
import { discover, promotable } from './topology.ts';

export interface Credentials {
  readonly username: string;
  readonly password: string;
}

/** The user of one life of an instance. */
export interface Admission extends Credentials {
  /** Where it was made: for `fence`. */
  readonly nodes: readonly Node[];
}

export interface FenceReport {
  /** Nodes that have confirmed that the user is gone. */
  readonly confirmed: readonly string[];
  /** Nodes that could not be asked, each with the reason. Not fenced while there is one. */
  readonly unconfirmed: readonly { readonly node: string; readonly reason: string }[];
}

/** What the data path needs, and no more: no administration, no keys of others' making. */
const permissions = [
  '~{*',
  '~rxnf:*',
  '&rxnf:*',
  '+@read',
  '+@write',
  '+@connection',
  '+@scripting',
  '+wait',
  '+time',
  '-@dangerous',
  '+role',
  '+client|kill',
  '+client|list',
  '+cluster|slots',
  '+cluster|shards',
  '+asking',
  '+readonly',
];

/**
 * Makes the user of one life of an instance, on every node.
 *
 * @param instance of letters, digits, `.`, `_` and `-`
 * @throws {StoreControlError} a node that cannot be asked: it might be promoted without the user
 */
export async function admit(access: Access, instance: string): Promise<Admission> {
  if (!/^[\w.-]{1,64}$/.test(instance)) {
    throw new StoreControlError(
      'ERR_INSTANCE_NAME',
      instance,
      'is no name: letters, digits, . _ -',
    );
  }
  const topology = await discover(access);
  // 64 random bits: no later life meets an earlier one's name, whatever the servers have forgotten.
  const username = `rxnf-${instance}-${randomBytes(8).toString('hex')}`;
  const password = randomBytes(24).toString('base64url');
  const nodes = promotable(topology);
  for (const node of nodes) {
    await withServer(
      access,
      (server) =>
        server.acl(
          'SETUSER',
          username,
          'reset',
          'on',
          `>${password}`,
          ...permissions,
        ) as Promise<unknown>,
      node,
    );
  }
  return { username, password, nodes };
}

/**
 * Takes a user's access away everywhere: on every node that may become primary now, and on those where the
 * user was made. A primary that failed over is among the latter only: it is nobody's replica until it comes
 * back, and keeps its users when it does.
 *
 * Safe to repeat: call it again until nothing is unconfirmed. A node that restarts meanwhile comes back
 * without the user, since users are never written to its file.
 *
 * @param proven nodes known to be unable to become primary again (powered off, removed): not asked
 * @throws {StoreControlError} the URL's server cannot be asked which nodes there are: name another
 */
export async function fence(
  access: Access,
  { username, nodes: admitted }: Pick<Admission, 'username' | 'nodes'>,
  proven: readonly Node[] = [],
): Promise<FenceReport> {
  const all = new Map(
    [...admitted, ...promotable(await discover(access))].map((node) => [nodeName(node), node]),
  );
  for (const node of proven) all.delete(nodeName(node));
  const nodes = [...all.values()];
  const confirmed: string[] = [];
  const unconfirmed: { node: string; reason: string }[] = [];
  await Promise.all(
    nodes.map(async (node) => {
      try {
        await withServer(access, (server) => cut(server, username), node);
        confirmed.push(nodeName(node));
      } catch (error) {
        if (!(error instanceof StoreControlError)) throw error;
        unconfirmed.push({ node: nodeName(node), reason: error.message });
      }
    }),
  );
  return { confirmed: confirmed.sort(), unconfirmed };
}

/** Deleting a user closes its connections in the same step; CLIENT KILL is for servers that do not. */
async function cut(server: Redis, username: string): Promise<void> {
  await server.acl('DELUSER', username);
  await server.call('CLIENT', 'KILL', 'USER', username).catch((error: Error) => {
    if (!/no such user/i.test(error.message)) throw error; // it has no connection left to name it
  });
  const users = (await server.acl('USERS')) as string[];
  if (users.includes(username)) throw new Error(`the user ${username} is still there`);
}
