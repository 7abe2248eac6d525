/**
 * Capture in, capture out: replays clients' recorded traffic through a NAT, both directions, with the
 * far side acted.
 *
 *   clients' frames, as recorded ------> inside [ NAT ] outside ------> translation learnt
 *   <------ compared with the recording         [     ]         <------ servers' frames, addressed by it
 *
 * The recording was made on the inside link of a router without NAT, so a server's frame in it is
 * what the client must get: it is sent in on the outside port with the client's endpoint replaced by
 * the translation that was seen leaving, and must come out of the inside port as it was recorded.
 * Neither ports nor order are assumed: outputs are recognised by their bytes.
 */
import type { NetworkFunction } from '../nfs/network-function.ts';
import type { LaneStatistics } from '../streams/lane.ts';
import { concatenate } from '../wire/bytes.ts';
import type { Capture } from '../wire/capture.ts';
import { CaptureWriter } from '../wire/capture-writer.ts';
import type { HarnessOptions, Output } from './harness.ts';
import type { FlowReport } from './replay-flows.ts';
import { Replay } from './replay-run.ts';

export type { FlowReport } from './replay-flows.ts';

export interface ReplayOptions extends Partial<Omit<HarnessOptions, 'clock' | 'absent'>> {
  /** Names of the NAT's ports; `ports` may describe them further. Default `inside` and `outside`. */
  readonly inside?: string;
  readonly outside?: string;
  /** The recorded clients' network. Default `10.99.0.0/24`, that of captures/clients.pcap. */
  readonly clients?: string;
  /** The recorded router's address on that link, which is now the NAT's. Default `10.99.0.1`. */
  readonly router?: string;
  /**
   * `recorded`: on the virtual clock, each frame at its time. `fast`: on the machine's clock, as many
   * frames at once as a burst holds. Default `recorded`.
   */
  readonly timing?: 'recorded' | 'fast';
  /**
   * Two instances on the store instead of one, each frame through one drawn at random; the second is
   * gone for good, with all that it was about to do, once so many frames have been sent.
   */
  readonly killAtFrame?: number;
  /** Called every 256 frames and at the end. */
  readonly onProgress?: (progress: ReplayProgress) => void;
}

export interface ReplayProgress {
  /** Recorded frames dealt with, and all there are. */
  readonly frames: number;
  readonly totalFrames: number;
  readonly flows: number;
  readonly translations: number;
  readonly missing: number;
  readonly statistics: LaneStatistics;
  readonly laneNanoseconds: number;
}

export interface ReplayResult extends ReplayProgress {
  readonly flowReports: readonly FlowReport[];
  /** Every frame sent, with lane time; see `captureOf`. */
  readonly outputs: readonly Output[];
  /** Outputs that are neither a recorded packet, translated, nor the NAT's own messages; the first 100. */
  readonly unexpected: readonly Output[];
  readonly unexpectedCount: number;
  /** Outputs with a wrong checksum or header. */
  readonly malformed: readonly Output[];
  /** ICMP errors and echo replies of the NAT itself to clients. */
  readonly own: number;
  /** Servers' frames that could not be addressed, since no translation was seen leaving. */
  readonly unaddressed: number;
  /** Frames whose client endpoint left under another translation than before. */
  readonly changedTranslations: number;
  /** IPv6 frames of clients sent in; their far side is not acted. */
  readonly ipv6: number;
  /** Frames that were lost with the instance that was killed. */
  readonly lost: number;
  /** Packets by latency, see `Lane.latency`; all zero time on a virtual clock. */
  readonly latency: Float64Array;
}

/**
 * Replays a capture of clients through a NAT and compares what comes out.
 *
 * ```ts
 * const result = replayClients(nat(options), readCapture(readFileSync('captures/clients.pcap')));
 * writeFileSync('out.pcap', captureOf(result.outputs));
 * ```
 *
 * @throws {AssertionError} where the harness finds packets or buffers lost (`Harness.finish`)
 */
export function replayClients(
  nf: NetworkFunction,
  capture: Capture,
  options: ReplayOptions = {},
): ReplayResult {
  const replay = new Replay(nf, capture, options);
  try {
    return replay.run();
  } finally {
    replay.harness.close();
  }
}

/** A pcap file of outputs, of one port or of all; `startNanoseconds` since 1970 is the lane clock's zero. */
export function captureOf(
  outputs: readonly Output[],
  port?: string,
  startNanoseconds = 0n,
): Uint8Array {
  const chunks: Uint8Array[] = [];
  const writer = new CaptureWriter((chunk) => chunks.push(chunk));
  for (const output of outputs) {
    if (port !== undefined && output.port !== port) continue;
    const time = startNanoseconds + BigInt(Math.round(output.nanoseconds));
    const { frame } = output;
    writer.append(
      frame,
      0,
      frame.length,
      Number(time / 1_000_000_000n),
      Number(time % 1_000_000_000n),
    );
  }
  writer.flush();
  return concatenate(chunks);
}
