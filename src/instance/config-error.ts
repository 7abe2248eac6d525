/** What is wrong with a configuration: every problem at once, each with its place and its mend. */

export interface ConfigProblem {
  /** Where: `ports.inside.addresses[0]`; empty for the file as a whole. */
  readonly field: string;
  /** What is wrong, the value found included. */
  readonly problem: string;
  /** What to write or do instead. */
  readonly mend: string;
  /** Line in the file, from 1, where it is known. */
  readonly line?: number;
}

export class ConfigError extends Error {
  readonly code = 'ERR_CONFIG';
  readonly source: string;
  readonly problems: readonly ConfigProblem[];

  /** @param source the file's name, for the message */
  constructor(source: string, problems: readonly ConfigProblem[]) {
    super(`${source} cannot be used:\n${problems.map((it) => describe(source, it)).join('\n')}`);
    this.name = 'ConfigError';
    this.source = source;
    this.problems = problems;
  }
}

/** `['ports', 'inside', 'addresses', 0]` as `ports.inside.addresses[0]`. */
export function fieldPath(path: readonly PropertyKey[]): string {
  return path.reduce<string>((text, part) => {
    if (typeof part === 'number') return `${text}[${part}]`;
    return text === '' ? String(part) : `${text}.${String(part)}`;
  }, '');
}

/** A problem with its line, where that is known. */
export function withLine(problem: ConfigProblem, line: number | undefined): ConfigProblem {
  return line === undefined ? problem : { ...problem, line };
}

/** A value as it would be found in the file, short enough for a line, passwords left out. */
export function quoteFound(value: unknown): string {
  if (value === undefined) return 'nothing';
  const text = withoutPassword(JSON.stringify(value) ?? String(value));
  return text.length <= 60 ? text : `${text.slice(0, 57)}...`;
}

/** `redis://user:***@host` of a URL with a password. */
export function withoutPassword(text: string): string {
  return text.replace(/(:\/\/[^/@\s]*?:)[^/@\s]*@/g, '$1***@');
}

function describe(source: string, { field, problem, mend, line }: ConfigProblem): string {
  const place = line === undefined ? '' : `${source}:${line}: `;
  return `  ${place}${field === '' ? '' : `${field}: `}${problem}\n    mend: ${mend}`;
}
