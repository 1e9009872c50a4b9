/**
 * A coding agent: it lists, reads, searches and writes files in a work directory that no path leaves, and
 * runs the tests there when somebody allows it. It works on a copy, so what you have stays as it is.
 *
 * Run it: npx tsx examples/coding-agent.ts [DATABASE] [DIRECTORY TASK]
 */
import { execFile } from 'node:child_process';
import { cp, mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { z } from 'zod';
import { Agent, type AgentStreamPart, createExtendedStore, defineTool, type Tool } from '../src/index.ts';
import { WorkDirectory } from './coding-agent/work-directory.ts';
import { chooseModel } from './support/choose-model.ts';
import type { Script } from './support/scripted-model.ts';

const path = z.string().describe('Relative to the work directory, with slashes.');

function toolsIn(directory: WorkDirectory): Tool[] {
  return [
    defineTool({
      name: 'list',
      description: 'Lists a directory; "." is the work directory. Directories end with a slash.',
      inputSchema: z.object({ path }),
      execute: ({ path }) => directory.list(path),
    }),
    defineTool({
      name: 'read',
      description: 'Reads a text file.',
      inputSchema: z.object({ path }),
      execute: ({ path }) => directory.read(path),
    }),
    defineTool({
      name: 'search',
      description: 'Finds the lines of all files that contain a text.',
      inputSchema: z.object({ text: z.string().min(1) }),
      execute: ({ text }) => directory.search(text),
    }),
    defineTool({
      name: 'write',
      description: 'Creates or replaces a text file. Give the whole content.',
      inputSchema: z.object({ path, content: z.string() }),
      // Needs no approval: the directory is a copy. A call that a crash cut off may be repeated.
      idempotent: true,
      execute: async ({ path, content }) => {
        await directory.write(path, content);
        return `${path} is written.`;
      },
    }),
    defineTool({
      name: 'test',
      description: 'Runs the tests of the work directory with `node --test`.',
      // It runs what the model wrote, which may do whatever this process may.
      needsApproval: true,
      idempotent: true,
      timeoutMs: 60_000,
      execute: (_input, { signal }) => runTests(directory.path, signal),
    }),
  ];
}

function runTests(cwd: string, signal: AbortSignal): Promise<{ passed: boolean; output: string }> {
  const { PATH, SystemRoot } = process.env;
  // Without the variables of this process: there may be keys among them.
  const options = { cwd, signal, env: { PATH, SystemRoot } };
  return new Promise((resolve) => {
    execFile(process.execPath, ['--test'], options, (error, stdout, stderr) => {
      resolve({ passed: error === null, output: `${stdout}${stderr}`.slice(-4_000) });
    });
  });
}

/** What the model does when there is no key for a real one. It reads what the tools give, and works with that. */
const script: Script = ({ done }) => {
  const [, , source, , before, , after] = done;
  const call = (tool: string, input: Record<string, unknown> = {}) => ({ tool, input });
  if (done.length === 0) {
    return {
      text: 'I look around.',
      calls: [call('list', { path: '.' }), call('search', { text: 'tenth' })],
    };
  }
  if (done.length === 2) {
    return { calls: [call('read', { path: 'cart.mjs' }), call('read', { path: 'cart.test.mjs' })] };
  }
  if (before === undefined)
    return { text: 'I run the tests before I change anything.', calls: [call('test')] };
  if (done.length === 5) {
    const content = source?.result.replace('count > 10', 'count >= 10') ?? '';
    return {
      text: 'The tenth is taken off from eleven on, not from ten.',
      calls: [call('write', { path: 'cart.mjs', content })],
    };
  }
  if (after === undefined) return { calls: [call('test')] };
  const passed = JSON.parse(after.result).passed === true;
  return { text: passed ? 'Fixed: now all tests pass.' : 'There is still something wrong.' };
};

function show(part: AgentStreamPart): void {
  if (part.type === 'text-delta') process.stdout.write(part.text);
  if (part.type === 'text-end') process.stdout.write('\n');
  if (part.type === 'tool-call') console.log(`  ${part.toolName} ${short(part.input)}`);
  if (part.type === 'tool-result') console.log(`  ${part.toolName} gave ${short(part.output)}`);
  if (part.type === 'tool-error') console.log(`  ${part.toolName} failed: ${part.error}`);
}

function short(value: unknown): string {
  const text = JSON.stringify(value);
  return text.length > 90 ? `${text.slice(0, 90)}…` : text;
}

const sample = fileURLToPath(new URL('./coding-agent/sample', import.meta.url));
const [
  dbPath = './data/coding-agent.db',
  original = sample,
  task = 'Ten of a kind should be a tenth cheaper, but the test fails. Find out why, and fix it.',
] = process.argv.slice(2);

const provider = await chooseModel(script);
const copy = await mkdtemp(join(tmpdir(), 'coding-agent-'));
await cp(original, copy, { recursive: true, verbatimSymlinks: true });
const directory = await WorkDirectory.open(copy);
console.log(`The agent works on a copy: ${directory.path}`);

await using store = await createExtendedStore({ type: 'sqlite', dbPath });
await using agent = await Agent.create({
  provider,
  store,
  template: {
    id: 'coder',
    systemPrompt: 'You fix programs. Read before you write, change as little as you can, and run the tests.',
    tools: toolsIn(directory),
  },
  metadata: { directory: directory.path },
});
console.log(`> ${task}`);
for (let input: string | undefined = task; ; input = undefined) {
  for await (const part of agent.stream(input)) show(part);
  const waiting = await agent.pendingApprovals();
  if (waiting.length === 0) break;
  for (const { toolCallId, callSeq, toolName } of waiting) {
    // A program of yours would ask somebody, see approval-across-processes.ts.
    console.log(`  ${toolName} is allowed, because this is an example`);
    await agent.approve(toolCallId, { by: 'the example', callSeq });
  }
}
const calls = await store.queryToolCalls({ agentId: agent.agentId, order: 'asc' });
console.log(`Calls: ${calls.map(({ toolName, state }) => `${toolName} ${state}`).join(', ')}`);
