/** What README and docs/ show a reader: code that examples run, commands and files that are there. */
import { globSync, readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import manifest from '../../package.json' with { type: 'json' };

const documents = ['README.md', 'CONTRIBUTING.md', ...globSync('docs/**/*.md')];
const read = (file: string): string => readFileSync(file, 'utf8');

/** Code as one line, however it was broken into lines, exported or not. */
const condensed = (code: string): string =>
  code
    .replace(/\bexport /g, '')
    .replace(/\s+/g, '')
    .replaceAll(',)', ')');

function blocks(file: string, language: string): string[] {
  const fenced = new RegExp(`^\`\`\`${language}\n(.*?)^\`\`\``, 'gms');
  return [...read(file).matchAll(fenced)].map((match) => match[1] as string);
}

describe('README', () => {
  it('shows no line of TypeScript that the examples and their tests do not run', () => {
    const run = condensed(globSync('{examples,test/examples}/*.ts').map(read).join('\n'));
    const shown = blocks('README.md', 'ts').flatMap((block) => block.split('\n'));
    expect(shown.length).toBeGreaterThan(20);
    expect(shown.filter((line) => !run.includes(condensed(line).replace(/,$/, '')))).toEqual([]);
  });
});

describe.each(documents)('%s', (file) => {
  const text = read(file);

  it('names only files that are there', () => {
    const named = text.matchAll(
      /(?<![\w./-])(?:bench|captures|docs|examples|lab|native|scripts|src|test)\/[\w./-]*[\w/]/g,
    );
    // A word in capitals stands for whatever the reader has; a decision is named by its number.
    const paths = [...named].map(([path]) => path).filter((path) => !/[A-Z]{2}/.test(path));
    expect(paths.filter((path) => globSync(`${path}*`).length === 0)).toEqual([]);
  });

  it('names only npm scripts that are there', () => {
    const scripts = [...text.matchAll(/npm run (?:-s )?([a-z][\w:]*)/g)].map((match) => match[1]);
    expect(scripts.filter((name) => !Object.hasOwn(manifest.scripts, name as string))).toEqual([]);
  });
});
