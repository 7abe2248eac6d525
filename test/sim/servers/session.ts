/** The real session of a lane at a server, over a simulated client. */
import type { RemoteClient } from '../../../src/state/remote/client.ts';
import { RemoteSession } from '../../../src/state/remote/remote-session.ts';
import type { Table } from '../../../src/state/table.ts';
import type { Lane } from '../../../src/streams/lane.ts';
import { type ClientOptions, SimClient } from './client.ts';

const claimLapseMilliseconds = 3000;

export class ServerSession extends RemoteSession {
  private readonly simulated: SimClient;

  constructor(lane: Lane, options: ClientOptions) {
    const tables = new Map(
      (lane.tables as readonly Table[]).map((table) => [table.storage, table]),
    );
    const client = new SimClient(lane, options, tables);
    super(lane, client as unknown as RemoteClient, { claimLapseMilliseconds });
    this.simulated = client;
  }

  /** Requests under way. */
  get waiting(): number {
    return this.simulated.waiting;
  }

  /** The process has ended. */
  kill(): void {
    this.simulated.kill();
  }
}
