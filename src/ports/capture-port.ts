/**
 * A port whose packets come out of a capture file and go into another: no DPDK, no root.
 *
 * A capture has no live neighbours, so the port answers ARP itself: every address that is asked for
 * exists, at 02:01 and its four bytes. Memory is bounded: what is transmitted is written out before
 * every breath, through one chunk of 1 MiB.
 */
import { closeSync, openSync, writeSync } from 'node:fs';
import type { NativePool, PortCounters } from '../native.ts';
import type { Lane, LanePort } from '../streams/lane.ts';
import { MemoryPort } from '../streams/memory-port.ts';
import { CaptureWriter } from '../wire/capture-writer.ts';
import { answerAnyArp, isArpRequest, taggedHeader } from './arp-answers.ts';
import { type CaptureFeed, feedOf } from './capture-feed.ts';
import { readInput } from './capture-input.ts';
import type { Pacing } from './spec.ts';

export interface CapturePortOptions {
  readonly name: string;
  readonly pool: NativePool;
  readonly mac?: Uint8Array;
  /** Largest IP packet in bytes. Default 1500. */
  readonly mtu?: number;
  /** The VLAN that frames in the captures are tagged for; absent: none. */
  readonly vlan?: number | undefined;
  /** The capture to receive from; absent: nothing is received. */
  readonly input?: string;
  /** Begin again at the end. */
  readonly loop?: boolean;
  /** Default: as fast as packets are taken. */
  readonly pacing?: Pacing;
  /** The file for what is transmitted; absent: it is let go. */
  readonly output?: string;
  /** Which lane of how many: each receives its share, and writes a file of its own. */
  readonly lane?: number;
  readonly lanes?: number;
  /** Wall clock in milliseconds when the port is made, for the output's time stamps. Default 0. */
  readonly startMilliseconds?: number;
}

/** Frames that wait to be received: two full bursts of the default size. */
const readAhead = 256;
/** Between two breaths a lane transmits at most its batches: 64 of 512 rows. */
const queueCapacity = 32_768;
const longestFrame = 65_536;

export class CapturePort implements LanePort {
  readonly name: string;
  readonly mac: Uint8Array;
  readonly mtu: number;
  readonly vlan: number | undefined;
  private readonly port: MemoryPort;
  private readonly feed: CaptureFeed | undefined;
  private readonly loop: boolean;
  private readonly startMilliseconds: number;
  private readonly scratch = new Uint8Array(longestFrame);
  private writer: CaptureWriter | undefined;
  private file: number | undefined;
  /** Next frame of the feed. */
  private next = 0;
  /** Lane clock of this pass's beginning; 0 until the first breath. */
  private passBegan = 0;
  private began = 0;
  private latest = 0;

  /** @throws {CaptureError} where the input is no capture; a system error where it cannot be opened */
  constructor(options: CapturePortOptions) {
    const { lane = 0, lanes = 1, mac, mtu } = options;
    this.name = options.name;
    this.port = new MemoryPort({
      name: options.name,
      pool: options.pool,
      capacity: queueCapacity,
      ...(mac && { mac }),
      ...(mtu && { mtu }),
    });
    this.mac = this.port.mac;
    this.mtu = this.port.mtu;
    this.vlan = options.vlan;
    this.loop = options.loop ?? false;
    this.startMilliseconds = options.startMilliseconds ?? 0;
    if (options.input !== undefined) {
      const capture = readInput(options.input);
      this.feed = feedOf(capture, options.pacing ?? { kind: 'unpaced' }, lane, lanes);
    }
    if (options.output !== undefined) {
      const file = openSync(outputFile(options.output, lane), 'w');
      this.file = file;
      this.writer = new CaptureWriter((chunk) => writeAll(file, chunk));
    }
  }

  attach(lane: Lane, number: number): void {
    this.port.attach(lane, number);
    lane.onClose(() => this.close());
  }

  pump(now: number): void {
    if (this.began === 0) {
      this.began = now;
      this.passBegan = now;
    }
    this.latest = now;
    this.drain(now);
    if (this.feed !== undefined) this.fill(this.feed, now);
  }

  counters(): PortCounters {
    return { ...this.port.counters(), exhausted: this.exhausted };
  }

  /** Nothing will be received any more, unless someone answers. */
  private get exhausted(): boolean {
    const read = this.feed === undefined || (!this.loop && this.next === this.feed.offsets.length);
    return read && this.port.unread === 0;
  }

  private fill(feed: CaptureFeed, now: number): void {
    const { offsets, lengths, due } = feed;
    if (offsets.length === 0) return;
    let room = readAhead - this.port.unread;
    while (room > 0) {
      if (this.next === offsets.length) {
        if (!this.loop || (due && now - this.passBegan < feed.period)) return;
        this.next = 0;
        this.passBegan += feed.period;
      }
      const end = Math.min(offsets.length, this.next + room);
      const until = due ? dueUntil(due, this.next, end, now - this.passBegan) : end;
      const count = until - this.next;
      const taken = this.port.pushMany(feed.bytes, offsets, lengths, this.next, count);
      this.next += taken;
      room -= taken;
      if (taken < count || until < end) return;
    }
  }

  private drain(now: number): void {
    const { scratch, port } = this;
    const header = this.vlan === undefined ? undefined : taggedHeader;
    for (let length = port.takeInto(scratch); length > 0; length = port.takeInto(scratch)) {
      if (isArpRequest(scratch, length, header)) port.push(answerAnyArp(scratch, header));
      if (this.writer === undefined) continue;
      const nanoseconds = this.startMilliseconds * 1e6 + (now - this.began);
      const seconds = Math.floor(nanoseconds / 1e9);
      this.writer.append(scratch, 0, length, seconds, Math.floor(nanoseconds - seconds * 1e9));
    }
  }

  /** Writes what is left, and closes the file. */
  private close(): void {
    this.drain(this.latest);
    this.writer?.flush();
    if (this.file !== undefined) closeSync(this.file);
    this.writer = undefined;
    this.file = undefined;
  }
}

/** The first row from `from` on that is not due yet. */
function dueUntil(due: Float64Array, from: number, end: number, elapsed: number): number {
  let i = from;
  while (i < end && (due[i] as number) <= elapsed) i++;
  return i;
}

/** `out.pcap` for the first lane, `out.1.pcap` for the second. */
function outputFile(path: string, lane: number): string {
  if (lane === 0) return path;
  const dot = path.lastIndexOf('.');
  return dot <= path.lastIndexOf('/') + 1
    ? `${path}.${lane}`
    : `${path.slice(0, dot)}.${lane}${path.slice(dot)}`;
}

function writeAll(file: number, chunk: Uint8Array): void {
  for (let at = 0; at < chunk.length; ) at += writeSync(file, chunk, at);
}
