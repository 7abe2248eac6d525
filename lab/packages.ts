/** Debian packages by name, through apt with lists and archives of the lab's own. */
import { existsSync, mkdirSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { cache } from './cache.ts';
import { step } from './step.ts';

const folder = join(cache, 'apt');
const mirror = process.env['RXNF_LAB_MIRROR'] ?? 'http://deb.debian.org/debian';
const keyring = '/usr/share/keyrings/debian-archive-keyring.gpg';
const listsDays = 7; // how old package lists may be

const suites = [
  `deb [signed-by=${keyring}] ${mirror} bookworm main`,
  `deb [signed-by=${keyring}] ${mirror} bookworm-backports main`,
  `deb-src [signed-by=${keyring}] ${mirror} trixie main`,
];

const options = Object.entries({
  'Dir::State': join(folder, 'state'),
  'Dir::State::status': '/var/lib/dpkg/status',
  'Dir::Cache': join(folder, 'cache'),
  'Dir::Etc::SourceList': join(folder, 'sources.list'),
  'Dir::Etc::SourceParts': '/dev/null',
  'Dir::Etc::Preferences': '/dev/null',
  'Dir::Etc::PreferencesParts': '/dev/null',
  'APT::Sandbox::User': 'root',
  'APT::Get::AllowUnauthenticated': 'false',
  'Acquire::Retries': '2',
  'Acquire::http::Timeout': '30',
}).flatMap(([name, value]) => ['-o', `${name}=${value}`]);

/** Refreshes the package lists when they are old. */
export async function refreshPackages(): Promise<void> {
  const stamp = join(folder, 'refreshed');
  const fresh =
    existsSync(stamp) && Date.now() - statSync(stamp).mtimeMs < listsDays * 24 * 3600 * 1000;
  if (fresh) return;
  for (const each of ['state/lists/partial', 'cache/archives/partial']) {
    mkdirSync(join(folder, each), { recursive: true });
  }
  writeFileSync(join(folder, 'sources.list'), `${suites.join('\n')}\n`);
  await step('refreshing package lists', ['apt-get', ...options, 'update'], { seconds: 180 });
  writeFileSync(stamp, '');
}

/** The version that would be installed, which a part of the cache is stamped with. */
export async function candidate(name: string): Promise<string> {
  const text = await step(`looking up ${name}`, ['apt-cache', ...options, 'policy', name]);
  const backport = /^ {5}(\S+bpo\S+) /m.exec(text)?.[1];
  const version = backport ?? /Candidate: (\S+)/.exec(text)?.[1];
  if (version === undefined || version === '(none)')
    throw new Error(`no package ${name} in Debian`);
  return version;
}

/** Unpacks packages and what they depend on that this machine has not installed. */
export async function unpack(names: readonly string[], into: string): Promise<void> {
  const archives = join(folder, 'cache', 'archives');
  for (const name of packagesIn(archives)) rmSync(join(archives, name));
  const title = `fetching ${names.join(' ')}`;
  const words = ['install', '-y', '-d', '--reinstall', '--no-install-recommends'];
  await step(title, ['apt-get', ...options, ...words, '-t', 'bookworm-backports', ...names], {
    seconds: 400,
  });
  for (const name of packagesIn(archives)) {
    await step(`unpacking ${name}`, ['dpkg-deb', '-x', join(archives, name), into]);
  }
}

/** The source package, unpacked with Debian's patches applied; resolves to its folder. */
export async function unpackSource(name: string, into: string): Promise<string> {
  await step(`fetching the source of ${name}`, ['apt-get', ...options, 'source', name], {
    cwd: into,
    seconds: 300,
  });
  const found = readdirSync(into).find((each) => statSync(join(into, each)).isDirectory());
  if (found === undefined) throw new Error(`the source package ${name} is empty`);
  return join(into, found);
}

export async function sourceVersion(name: string): Promise<string> {
  const text = await step(`looking up ${name}`, ['apt-cache', ...options, 'showsrc', name]);
  return /^Version: (\S+)/m.exec(text)?.[1] ?? 'unknown';
}

function packagesIn(archives: string): string[] {
  return readdirSync(archives).filter((name) => name.endsWith('.deb'));
}
