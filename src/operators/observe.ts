import { AssertionError } from 'node:assert';
import type { PacketBatch } from '../streams/batch.ts';
import { type BatchOperator, seesSettled, synchronousOperator } from '../streams/operator.ts';
import { matches, type WhereMask } from '../streams/traits.ts';
import { held, isAside } from '../streams/verdict.ts';

/** What can be seen of a batch from outside: numbers alone, and valid in the callback only. */
export interface BatchSummary {
  /** Packets of the batch, those made here included. */
  readonly packets: number;
  /** Bytes of all of them, Ethernet headers included, without FCS. */
  readonly bytes: number;
  /** Without a verdict so far. */
  readonly pending: number;
  readonly forwarded: number;
  readonly dropped: number;
  /** Taken out of the batch to wait for something. */
  readonly held: number;
  /** Lane clock at receive, milliseconds, wrapping at 2^32. */
  readonly nowMilliseconds: number;
  /** Packets that a mask describes, whatever their verdict. */
  matching(where: WhereMask): number;
}

/**
 * Shows every batch that passes to a function, which can change nothing: it gets counts, made when
 * they are read. A throw is reported at a limited rate and costs no packet.
 *
 * @example packets.pipe(parse(), observe((batch) => histogram.record(batch.packets)))
 */
export function observe<F>(look: (batch: BatchSummary) => void): BatchOperator<F> {
  return synchronousOperator('observe', (lane) => {
    const summary = new Summary();
    return seesSettled((batch) => {
      summary.show(batch);
      try {
        look(summary);
      } catch (error) {
        if (error instanceof AssertionError) throw error;
        lane.report({ event: 'callback-error', holder: 'observe', message: String(error) });
      } finally {
        summary.show(undefined);
      }
    });
  });
}

class Summary implements BatchSummary {
  #batch: PacketBatch | undefined;

  show(batch: PacketBatch | undefined): void {
    this.#batch = batch;
  }

  private get batch(): PacketBatch {
    if (!this.#batch) {
      const error = new Error('a BatchSummary was used after its callback');
      throw Object.assign(error, { code: 'ERR_STALE_BATCH' });
    }
    return this.#batch;
  }

  private countVerdicts(counts: (verdict: number) => boolean): number {
    const { verdict, count } = this.batch;
    let packets = 0;
    for (let row = 0; row < count; row++) if (counts(verdict[row] as number)) packets++;
    return packets;
  }

  get packets(): number {
    return this.batch.count;
  }
  get bytes(): number {
    const { length, count } = this.batch;
    let bytes = 0;
    for (let row = 0; row < count; row++) bytes += length[row] as number;
    return bytes;
  }
  get pending(): number {
    return this.countVerdicts(isPending);
  }
  get forwarded(): number {
    return this.countVerdicts(isForward);
  }
  get dropped(): number {
    return this.countVerdicts(isDrop);
  }
  get held(): number {
    return this.countVerdicts(isHeld);
  }
  get nowMilliseconds(): number {
    return this.batch.nowMilliseconds;
  }
  matching(where: WhereMask): number {
    const { traits, count } = this.batch;
    let packets = 0;
    for (let row = 0; row < count; row++) if (matches(traits[row] as number, where)) packets++;
    return packets;
  }
}

const isPending = (verdict: number) => verdict === 0 || isAside(verdict);
const isForward = (verdict: number) => verdict > 0 && verdict !== held && !isAside(verdict);
const isDrop = (verdict: number) => verdict < 0;
const isHeld = (verdict: number) => verdict === held;
