/** The part of a device string behind its kind: `TARGET,flag,key=value`, each word used once. */
import { PortConfigError } from './error.ts';

export class Options {
  readonly #field: string;
  readonly #text: string;
  readonly #words: string[];
  readonly #known: string[] = [];
  #target: string | undefined;

  constructor(field: string, text: string, rest: string) {
    this.#field = field;
    this.#text = text;
    this.#words = rest === '' ? [] : rest.split(',');
  }

  /** The first word, which every kind that asks for it must have. */
  target(meaning: string, pattern: RegExp = /./): string {
    this.#target = this.#words.shift() ?? '';
    if (!pattern.test(this.#target)) throw this.badTarget(meaning);
    return this.#target;
  }

  /** Takes the first word if it is empty; a target is then not asked for. */
  isTargetEmpty(): boolean {
    if ((this.#words[0] ?? '') !== '') return false;
    this.#words.shift();
    return true;
  }

  flag(name: string): boolean {
    this.#known.push(name);
    const at = this.#words.indexOf(name);
    if (at >= 0) this.#words.splice(at, 1);
    return at >= 0;
  }

  choice<Choice extends string>(
    name: string,
    choices: readonly Choice[],
    otherwise: Choice,
  ): Choice {
    const value = this.#value(name, choices.join('|'));
    if (value === undefined) return otherwise;
    const chosen = choices.find((choice) => choice === value);
    if (chosen === undefined) {
      throw this.bad(`${name} is "${value}"`, `make it ${choices.join(' or ')}`);
    }
    return chosen;
  }

  path(name: string): string | undefined {
    const value = this.#value(name, 'PATH');
    if (value === '') throw this.bad(`${name} is empty`, `give a path: ${name}=PATH`);
    return value;
  }

  whole(name: string, least: number, most: number): number | undefined {
    const value = this.#value(name, 'N');
    if (value === undefined) return undefined;
    const number = /^\d+$/.test(value) ? Number(value) : Number.NaN;
    if (!(number >= least && number <= most)) {
      throw this.bad(`${name} is "${value}"`, `make it a whole number from ${least} to ${most}`);
    }
    return number;
  }

  /** Called when everything known was asked for: what is left is unknown. */
  end(): void {
    const [left] = this.#words;
    if (left === undefined) return;
    throw new PortConfigError(
      'unknown-option',
      this.#field,
      `"${left}" in "${this.#text}" is no option of this kind, or stands there twice`,
      this.#known.length === 0 ? 'leave it out' : `use ${this.#known.join(', ')}, each once`,
    );
  }

  bad(found: string, mend: string): PortConfigError {
    return new PortConfigError('bad-option', this.#field, `${found} in "${this.#text}"`, mend);
  }

  badTarget(meaning: string): PortConfigError {
    return new PortConfigError(
      'bad-device',
      this.#field,
      `"${this.#target ?? ''}" in "${this.#text}" is not ${meaning}`,
      `put ${meaning} behind the first colon`,
    );
  }

  #value(name: string, form: string): string | undefined {
    this.#known.push(`${name}=${form}`);
    const at = this.#words.findIndex((word) => word.startsWith(`${name}=`));
    if (at < 0) return undefined;
    return this.#words.splice(at, 1)[0]?.slice(name.length + 1);
  }
}
