/** Reading /proc and /sys, where a file that is not there is an answer, and asking tools. */
import { spawnSync } from 'node:child_process';
import { readdirSync, readFileSync, realpathSync } from 'node:fs';

export function isSystemError(error: unknown): error is NodeJS.ErrnoException {
  return error instanceof Error && 'code' in error && 'errno' in error;
}

/** The names in a directory, sorted; none where it does not exist. */
export function entries(directory: string): string[] {
  return otherwise(() => readdirSync(directory).sort(), []);
}

export function textOf(path: string): string | undefined {
  return otherwise(() => readFileSync(path, 'utf8').trim(), undefined);
}

export function linesOf(path: string): string[] {
  return textOf(path)?.split('\n') ?? [];
}

/** Where a symbolic link leads in the end; undefined when it does not. */
export function targetOf(link: string): string | undefined {
  return otherwise(() => realpathSync(link), undefined);
}

const toolMilliseconds = 2000; // a tool that hangs is a tool without an answer

/** What a tool prints; undefined when it is not installed, fails or hangs. */
export function ask(tool: string, ...words: readonly string[]): string | undefined {
  const answer = spawnSync(tool, words, { encoding: 'utf8', timeout: toolMilliseconds });
  return answer.status === 0 ? answer.stdout : undefined;
}

function otherwise<Answer>(read: () => Answer, fallback: Answer): Answer {
  try {
    return read();
  } catch (error) {
    if (isSystemError(error)) return fallback;
    throw error;
  }
}
