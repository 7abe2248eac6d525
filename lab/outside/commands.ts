/**
 * What a scenario may ask of the generator outside its guest (`outside` of lab/guest/functions):
 *
 *   there WAY                   until the NAT at WAY answers ARP on both sides
 *   exchange WAY FLOWS ROUNDS   requests and replies, none of which may be lost; some strays too
 *   begin WAY FLOWS             flows that go on, a round of each every 50 ms
 *   reach ROUNDS                until each of them has done so many more
 *   turn WAY                    sends them through another NAT
 *   vlan ID | none              puts what follows into a VLAN on the wire
 *   end                         ends them; none may have changed its binding, nor any packet be wrong
 *
 * A WAY is the Ethernet addresses of a NAT's inside and outside, as in `02:00:00:00:01:00/02:00:00:00:01:01`.
 * Every answer ends with a line of JSON: the counts.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { parseMac } from '../../src/wire/address.ts';
import { Traffic, type Way } from './traffic.ts';
import type { Wire } from './wire.ts';

const thereSeconds = 60;
/** For a round of every flow, in a guest that is slow. */
const roundSeconds = 10;
const begunPauseMilliseconds = 50;
const strays = 5;
const pollMilliseconds = 20;
const askMilliseconds = 200;

export class OutsideError extends Error {}

export class Commands {
  private readonly wire: Wire;
  private traffic: Traffic | undefined;

  constructor(wire: Wire) {
    this.wire = wire;
  }

  /** @throws {OutsideError} what was not as it should be, and the counts */
  async run([command, ...words]: readonly string[]): Promise<string> {
    switch (command) {
      case 'there':
        return await this.there(words);
      case 'exchange':
        return await this.exchange(words);
      case 'begin':
        return await this.begin(words);
      case 'reach':
        return await this.reach(Number(words[0]));
      case 'turn':
        this.begun.turn(wayOf(words[0]));
        return '';
      case 'vlan':
        this.wire.vlan = words[0] === 'none' ? undefined : Number(words[0]);
        return '';
      case 'end':
        return this.end();
      default:
        throw new OutsideError(`the generator knows no ${command}`);
    }
  }

  close(): void {
    this.traffic?.stop();
    this.wire.close();
  }

  private get begun(): Traffic {
    if (this.traffic === undefined) throw new OutsideError('nothing was begun');
    return this.traffic;
  }

  private async there([way]: readonly string[]): Promise<string> {
    const traffic = new Traffic(this.wire, wayOf(way), 0, 0);
    try {
      const isThere = () => traffic.isThere();
      await until(thereSeconds, isThere, 'no answer to ARP', traffic, askMilliseconds);
      return told(traffic);
    } finally {
      traffic.stop();
    }
  }

  private async exchange([way, flows, rounds]: readonly string[]): Promise<string> {
    const traffic = new Traffic(this.wire, wayOf(way), Number(flows), 0);
    try {
      traffic.run(Number(rounds));
      const done = () => traffic.done >= Number(rounds);
      await until(Number(rounds) * roundSeconds, done, 'not every flow was answered', traffic);
      traffic.stray(strays);
      await until(roundSeconds, () => traffic.complete, 'packets were lost', traffic);
      return told(traffic);
    } finally {
      traffic.stop();
    }
  }

  private async begin([way, flows]: readonly string[]): Promise<string> {
    this.traffic?.stop();
    this.traffic = new Traffic(this.wire, wayOf(way), Number(flows), begunPauseMilliseconds);
    this.traffic.run();
    return await this.reach(3);
  }

  private async reach(rounds: number): Promise<string> {
    const traffic = this.begun;
    const wanted = traffic.done + rounds;
    const done = () => traffic.done >= wanted;
    await until(rounds * roundSeconds, done, 'not every flow went on', traffic);
    return told(traffic);
  }

  private end(): string {
    const traffic = this.begun;
    traffic.stop();
    this.traffic = undefined;
    return told(traffic);
  }
}

async function until(
  seconds: number,
  isDone: () => boolean,
  what: string,
  traffic: Traffic,
  pauseMilliseconds = pollMilliseconds,
): Promise<void> {
  const last = Date.now() + seconds * 1000;
  while (!isDone()) {
    if (Date.now() > last) throw new OutsideError(`${what} in ${seconds} s\n${story(traffic)}`);
    await sleep(pauseMilliseconds);
  }
}

/** @throws {OutsideError} where any packet was wrong */
function told(traffic: Traffic): string {
  if (traffic.allFaults.length > 0) throw new OutsideError(story(traffic));
  return story(traffic);
}

function story(traffic: Traffic): string {
  const { counts, bindings, allFaults, longestSilenceMilliseconds } = traffic;
  const lines = [...bindings, ...allFaults.slice(0, 20)];
  const faults = allFaults.length;
  const numbers = JSON.stringify({ ...counts, faults, longestSilenceMilliseconds });
  return [...lines, numbers].map((line) => `${line}\n`).join('');
}

function wayOf(text = ''): Way {
  const [inside, outside] = text.split('/').map(parseMac);
  if (inside === undefined || outside === undefined) {
    throw new OutsideError(`"${text}" is not two Ethernet addresses with / between them`);
  }
  return { inside, outside };
}
