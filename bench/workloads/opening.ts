import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { fileURLToPath, pathToFileURL } from 'node:url';
import type { ExtendedStore } from '../../src/store/store.ts';
import type { Ground } from '../ground.ts';
import { interleave, timed } from '../measure.ts';
import { atMost } from '../result.ts';
import { METADATA, type Workload } from '../workload.ts';

const AGENTS = 100_000;
const BATCH = 1_000;

export const opening: Workload = {
  name: 'opening',
  title: 'Opening a store with 100,000 agents, against an empty one',
  backends: ['sqlite', 'postgres'],
  async *run(bench) {
    const [full, empty] = [await bench.open(), await bench.open()];
    const agents = bench.size(AGENTS, 200);
    await fill(full, agents);
    // Noise is all that may lie between them.
    const bound = atMost(1.15);
    const repetitions = await interleave(reopening(full), reopening(empty), bench.effort(40));
    yield timed({ what: `${agents} agents`, to: 'empty', bound }, repetitions);
  },
};

async function fill({ store }: Ground, agents: number): Promise<void> {
  for (let done = 0; done < agents; done += BATCH) {
    const ids = Array.from({ length: Math.min(BATCH, agents - done) }, (_, i) => `agent-${done + i}`);
    await Promise.all(ids.map((id) => store.saveInfo(id, { templateId: 'assistant', metadata: METADATA })));
  }
}

function reopening(ground: Ground) {
  let opened: ExtendedStore | undefined;
  return {
    before: () => opened?.close(),
    async run() {
      opened = await ground.another();
    },
  };
}

const ROOT = fileURLToPath(new URL('../../dist/index.js', import.meta.url));

/** The same whatever the database: the package root loads no driver. */
export const importing: Workload = {
  name: 'import',
  title: 'Importing the package root, against a bare Node.js',
  backends: ['sqlite'],
  async *run(bench) {
    if (!existsSync(ROOT)) throw new Error('There is no dist/: run "npm run build" first.');
    const node = (...args: string[]) => ({
      run() {
        const { status, stderr } = spawnSync(process.execPath, args, { encoding: 'utf8' });
        if (status !== 0) throw new Error(`node ${args.join(' ')} failed: ${stderr}`);
      },
    });
    const root = JSON.stringify(pathToFileURL(ROOT).href);
    const imported = node('--input-type=module', '-e', `import ${root}`);
    const repetitions = await interleave(imported, node('-e', '0'), bench.effort(20));
    yield timed({ what: 'a process that imports it', to: 'node -e 0', bound: atMost(1.5) }, repetitions);
  },
};
