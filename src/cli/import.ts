import { basename } from 'node:path';
import { type Command, Option } from 'commander';
import type { ExtendedStore } from '../store/store.ts';
import { readConversations } from './conversation-file.ts';
import { validatePrefix } from './conversation-id.ts';
import { InputError, oneLine } from './errors.ts';
import { text } from './flags.ts';
import { type BadRecord, type PlannedAgent, planImport } from './import-plan.ts';
import { type ImportCounts, runImport } from './import-run.ts';
import { type GlobalFlags, withStore } from './open-store.ts';
import { startProgress } from './progress.ts';
import { formatNumber, printJson, type Terminal } from './terminal.ts';

interface ImportFlags extends GlobalFlags {
  format: 'openai-chat';
  skipInvalid?: true;
  template?: string;
  prefix?: string;
}

/** What an import did; `--json` prints it as it is. */
interface ImportSummary extends ImportCounts {
  file: string;
  format: string;
  /** Conversations of which nothing was stored: those that were complete before, and the bad ones. */
  skipped: number;
  complete: number;
  invalid: BadRecord[];
  seconds: number;
}

const MAX_REPORTED = 100;

export function addImport(program: Command, terminal: Terminal): void {
  program
    .command('import')
    .description('store recorded conversations, one agent for each; a repetition goes on where it stopped')
    .argument('<file>', 'a JSON array of conversations, or JSONL with one on each line')
    .addOption(
      new Option('--format <format>', 'how the conversations are written')
        .choices(['openai-chat'])
        .makeOptionMandatory(),
    )
    .option('--skip-invalid', 'leave out conversations with bad records instead of importing nothing')
    .option('--template <id>', 'template of the new agents', text)
    .option('--prefix <prefix>', "beginning of the new agents' ids", text)
    .action(async (file: string, _: unknown, command: Command) => {
      await importFile(file, command.optsWithGlobals<ImportFlags>(), terminal);
    });
}

async function importFile(file: string, flags: ImportFlags, terminal: Terminal): Promise<void> {
  const begun = performance.now();
  const { prefix = '' } = flags;
  validatePrefix(prefix);
  const conversations = await readConversations(file);
  const summary = await withStore(flags, async (store) => {
    const plan = await planImport(store, conversations, prefix);
    reportBad(plan.bad, terminal);
    if (plan.bad.length > 0 && !flags.skipInvalid) throw refusal(file, plan.bad);
    const counts = await write(store, plan.agents, file, flags, terminal);
    const invalid = conversationsOf(plan.bad);
    return {
      file,
      format: flags.format,
      ...counts,
      skipped: plan.complete + invalid,
      complete: plan.complete,
      invalid: plan.bad,
      seconds: Math.round(performance.now() - begun) / 1000,
    };
  });
  if (flags.json) printJson(terminal, summary);
  else printSummary(summary, terminal);
}

async function write(
  store: ExtendedStore,
  agents: PlannedAgent[],
  file: string,
  flags: ImportFlags,
  terminal: Terminal,
): Promise<ImportCounts> {
  const total = agents.reduce((sum, agent) => sum + agent.messages - agent.done, 0);
  const progress = startProgress(terminal.stderr, total);
  try {
    return await runImport(store, agents, {
      templateId: flags.template,
      source: basename(file),
      onMessage: progress.step,
    });
  } finally {
    progress.stop();
  }
}

function reportBad(bad: BadRecord[], { stderr }: Terminal): void {
  for (const { conversation, message, text: what } of bad.slice(0, MAX_REPORTED)) {
    const where = message === undefined ? '' : `, message ${message}`;
    stderr.write(`conversation ${conversation}${where}: ${oneLine(what)}\n`);
  }
  if (bad.length > MAX_REPORTED) stderr.write(`and ${formatNumber(bad.length - MAX_REPORTED)} more\n`);
}

function refusal(file: string, bad: BadRecord[]): InputError {
  return new InputError(
    `${counted(bad.length, 'bad record')} in ${counted(conversationsOf(bad), 'conversation')} of ${file} ` +
      '(positions count from 0); nothing was imported. Mend them, or pass --skip-invalid to leave these ' +
      'conversations out.',
  );
}

function conversationsOf(bad: BadRecord[]): number {
  return new Set(bad.map((record) => record.conversation)).size;
}

function printSummary(summary: ImportSummary, { stdout }: Terminal): void {
  const { agents, messages, toolCalls, seconds, skipped, complete } = summary;
  stdout.write(
    `Imported ${counted(agents, 'agent')}, ${counted(messages, 'message')} and ` +
      `${counted(toolCalls, 'tool call')} in ${seconds.toFixed(1)} s.\n`,
  );
  if (skipped === 0) return;
  stdout.write(
    `Skipped ${counted(skipped, 'conversation')}: ${formatNumber(complete)} stored before, ` +
      `${formatNumber(skipped - complete)} invalid.\n`,
  );
}

function counted(count: number, noun: string): string {
  return `${formatNumber(count)} ${noun}${count === 1 ? '' : 's'}`;
}
