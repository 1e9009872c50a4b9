import { readFileSync } from 'node:fs';
import { Command, CommanderError } from 'commander';
import { errorLine, oneLine, UsageError } from './errors.ts';
import { addImport } from './import.ts';
import { addMessages } from './messages.ts';
import { addGlobalFlags } from './open-store.ts';
import { addSessions } from './sessions.ts';
import { addStats } from './stats.ts';
import type { Terminal } from './terminal.ts';
import { addTools } from './tools.ts';

const FAILURE = 1;
const USAGE = 2;

/** Runs the command line and returns the exit status: 0, 1 for a failure, 2 for wrong usage. */
export async function run(args: readonly string[], terminal: Terminal): Promise<number> {
  try {
    await buildProgram(terminal).parseAsync(args, { from: 'user' });
    return 0;
  } catch (error) {
    // Commander has written its message, or the help that was asked for.
    if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : USAGE;
    terminal.stderr.write(`${errorLine(error)}\n`);
    return error instanceof UsageError ? USAGE : FAILURE;
  }
}

function buildProgram(terminal: Terminal): Command {
  const program = new Command('kode')
    .description('Imports recorded conversations of agents into a database and answers questions about them.')
    .version(packageVersion())
    .configureHelp({ showGlobalOptions: true })
    .configureOutput({
      writeOut: (text) => terminal.stdout.write(text),
      writeErr: (text) => terminal.stderr.write(text),
      outputError: (text, write) => write(`${oneLine(text)}\n`),
    })
    .exitOverride();
  addGlobalFlags(program);
  for (const add of [addImport, addSessions, addMessages, addTools, addStats]) add(program, terminal);
  return program;
}

/** The package's own file lies two folders up from here, in the sources and in what is built from them. */
function packageVersion(): string {
  const { version }: { version: string } = JSON.parse(
    readFileSync(new URL('../../package.json', import.meta.url), 'utf8'),
  );
  return version;
}
