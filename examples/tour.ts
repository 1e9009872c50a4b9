/**
 * The whole promise in one go, over real files and a real database: an agent works, is killed, resumes in
 * another process, waits for somebody's approval, is forked, and its history is queried.
 *
 * Run it: npm start, or npx tsx examples/tour.ts
 */
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { cp } from 'node:fs/promises';
import { relative } from 'node:path';
import { run as kode } from '../src/cli/program.ts';
import { Agent, createExtendedStore, type ExtendedStore, generateAgentId } from '../src/index.ts';
import { chooseModel } from './support/choose-model.ts';
import { COMPLAINT, clerk, SURVEY } from './tour/clerk.ts';
import { fillFolder, folderOf, readInside } from './tour/folder.ts';
import { heading, narrate, say } from './tour/narrate.ts';
import { clerkScript } from './tour/script.ts';

const agentId = generateAgentId();
const forkId = generateAgentId();
const snapshot = 'labels printed';

async function tour(store: ExtendedStore): Promise<void> {
  console.log('A tour with real files, real processes and a real database. It takes about ten seconds.');
  const provider = await chooseModel(clerkScript);
  await fillFolder(agentId);
  console.log(
    `Database: ${databaseName()}. Agent: ${agentId}. Its files: ${relative('', folderOf(agentId))}`,
  );

  heading(
    '1. An agent, the clerk of a print shop, works with file tools.',
    'Each of its steps is stored before the next one begins.',
  );
  const agent = await Agent.create({
    provider,
    store,
    template: clerk,
    agentId,
    metadata: { tour: agentId },
  });
  await narrate(agent, SURVEY);
  await agent.close();

  heading('2. Another process goes on: it prints labels, slowly, and is killed in the middle (SIGKILL).');
  await killWhilePrinting(store);

  heading(
    "3. A third process resumes the agent, once the dead one's lease has run out (5 seconds here).",
    'Nobody knows whether the call that was cut off took effect: it is sealed with an error that says so,',
    'and the agent finds out from its files what is missing.',
  );
  await finished(startProcess('./tour/process.ts', ['resume', agentId]));
  say(`printed.txt: ${await printed()}`);

  heading(
    '4. A refund needs an approval: the agent stops and waits.',
    'Another process, which has nothing but the database, decides. Then the agent goes on.',
  );
  const again = await Agent.resume(agentId, { provider, store, template: clerk });
  await again.snapshot(snapshot);
  await cp(folderOf(agentId), folderOf(forkId), { recursive: true });
  await handleComplaint(again, 'allow', 'Ana');
  await again.close();

  heading(
    '5. A fork begins where the labels were printed, with the same history.',
    'It gets the same task, but another decision, and goes another way. The first agent stays as it is.',
  );
  await store.fork(agentId, { at: snapshot, agentId: forkId });
  const other = await Agent.resume(forkId, { provider, store, template: clerk });
  await handleComplaint(other, 'deny', 'Ben', 'no money back for this one, offer a new print instead');
  await other.close();
  for (const id of [agentId, forkId]) {
    const reply = await readInside(id, 'replies/1043.txt');
    say(`${id === forkId ? 'The fork' : 'The agent'} wrote: ${reply?.trim() ?? 'nothing'}`);
  }

  heading('6. All of it can be queried.');
  await query(store);

  heading('Look further yourself:');
  for (const command of [`messages ${agentId} --order asc`, `tools ${forkId}`, 'stats']) {
    say(`npx kode ${command}`);
  }
  say('npx tsx examples/quick-start.ts   (and the other examples beside it)');
}

/** Follows the agent from here, through the database, and kills its process after two labels. */
async function killWhilePrinting(store: ExtendedStore): Promise<void> {
  const child = startProcess('./tour/process.ts', ['work', agentId]);
  const ended = new AbortController();
  const exit = once(child, 'exit').finally(() => ended.abort());
  let labels = 0;
  for await (const item of store.watch(agentId, { signal: ended.signal })) {
    if (item.kind === 'event' && item.event.type === 'label-printed') labels += 1;
    if (labels === 2) break;
  }
  child.kill('SIGKILL');
  const [code] = await exit;
  if (code === 0) {
    say('The model printed no labels, so there was nothing to kill. It happens with real ones.');
    return;
  }
  if (code !== null) throw new Error(`Process ${child.pid} failed.`);
  say(`Process ${child.pid} is dead. printed.txt: ${await printed()}`);
  const calls = await store.queryToolCalls({ agentId, state: 'executing' });
  const names = calls.map(({ toolName }) => `${toolName} is executing`);
  say(`The database says: ${names.join(', ') || 'no call was under way'}.`);
}

/** A turn that comes to wait for a decision, which somebody makes in another process. */
async function handleComplaint(agent: Agent, ...decision: string[]): Promise<void> {
  let status = await narrate(agent, COMPLAINT);
  if (status !== 'awaiting_approval') {
    say('The model did not ask for a refund this time, so there was nothing to decide.');
  }
  // A real model may ask more than once; it isn't asked for ever.
  for (let round = 0; status === 'awaiting_approval' && round < 3; round++) {
    await finished(startProcess('./tour/decide.ts', [agent.agentId, ...decision]));
    status = await narrate(agent);
  }
  if (status !== 'completed') say(`The turn ended with: ${status}.`);
}

async function query(store: ExtendedStore): Promise<void> {
  const metadata = { tour: agentId };
  for (const { agentId: id, messageCount, lineage } of await store.querySessions({
    metadata,
    order: 'asc',
  })) {
    say(
      `querySessions   ${id}: ${messageCount} messages${lineage.length > 0 ? `, forked from ${lineage.at(-1)}` : ''}`,
    );
  }
  for (const hasApproval of [false, true]) {
    for (const call of await store.queryToolCalls({ agentId, hasApproval, order: 'asc' })) {
      if (call.toolName !== 'print_labels' && !hasApproval) continue;
      const way = call.auditTrail.map(({ state }) => state).join(' → ');
      say(
        `queryToolCalls  ${call.toolName}: ${way}${hasApproval ? `, decided by ${call.approval.decidedBy}` : ''}`,
      );
    }
  }
  const stats = await store.aggregateStats({ metadata });
  say(`aggregateStats  calls by state: ${JSON.stringify(stats.toolCallsByState)}`);
  say(`aggregateStats  tokens: ${JSON.stringify(stats.tokensByModel)}`);
  console.log('   The command line asks the same questions:');
  for (const command of [`sessions --metadata tour=${agentId}`, `tools ${agentId} --approval`]) {
    console.log(`\n$ npx kode ${command}`);
    const code = await kode(command.split(' '), process);
    if (code !== 0) throw new Error(`kode ended with ${code}.`);
  }
}

function databaseName(): string {
  const { KODE_STORE_TYPE, KODE_SQLITE_PATH } = process.env;
  return KODE_STORE_TYPE === 'sqlite' ? KODE_SQLITE_PATH || './data/agents.db' : `${KODE_STORE_TYPE}`;
}

async function printed(): Promise<string> {
  const lines = (await readInside(agentId, 'printed.txt'))?.trim().split('\n') ?? [];
  return `${lines.length} labels (${lines.map((line) => line.slice(0, 4)).join(', ')})`;
}

function startProcess(file: string, args: string[]): ReturnType<typeof fork> {
  return fork(new URL(file, import.meta.url), args);
}

async function finished(child: ReturnType<typeof fork>): Promise<void> {
  const [code] = await once(child, 'exit');
  if (code !== 0) throw new Error(`Process ${child.pid} failed.`);
}

// Whoever started the tour is gone.
process.once('disconnect', () => process.exit(1));
process.channel?.unref();
process.env.KODE_STORE_TYPE ||= 'sqlite';
try {
  await using store = await createExtendedStore();
  await tour(store);
} catch (error) {
  console.error(`\nThe tour broke off: ${error instanceof Error ? error.message : error}`);
  process.exitCode = 1;
}
