import { type Command, Option } from 'commander';
import { type AgentToolCallRecord, TOOL_CALL_STATES } from '../model/tool-call.ts';
import type { ToolCallQueryFilter } from '../store/filters.ts';
import { validateToolCallFilter } from '../store/validate-filter.ts';
import { addCreatedFlags, addPageFlags, checkFilter, createdFilter, pageFilter, text } from './flags.ts';
import { type GlobalFlags, withStore } from './open-store.ts';
import type { Column } from './table.ts';
import { agentColumn, formatInstant, glimpse, printRows, type Terminal } from './terminal.ts';

interface ToolFlags extends ToolCallQueryFilter, GlobalFlags {
  error?: boolean;
  approval?: boolean;
}

const ownColumns: Column<AgentToolCallRecord>[] = [
  { title: 'SEQ', value: (call) => call.callSeq, align: 'right' },
  { title: 'TOOL', value: (call) => call.toolName, min: 8 },
  { title: 'STATE', value: (call) => call.state },
  { title: 'ERROR', value: (call) => (call.isError ? 'yes' : ''), optional: true },
  { title: 'APPROVAL', value: approval, optional: true },
  { title: 'MS', value: (call) => call.durationMs, align: 'right', optional: true },
  { title: 'INPUT', value: (call) => glimpse(call.input), min: 12 },
  { title: 'OUTPUT', value: (call) => glimpse(call.output ?? call.error), min: 12 },
  { title: 'CREATED (UTC)', value: (call) => formatInstant(call.createdAt) },
];

function approval({ approval: { required, decision } }: AgentToolCallRecord): string {
  return required ? (decision ?? 'pending') : '';
}

export function addTools(program: Command, terminal: Terminal): void {
  const command = program
    .command('tools')
    .description('list tool calls of one agent or of all, newest first')
    .argument('[agentId]', 'the agent', text);
  addPageFlags(addCreatedFlags(command))
    .option('--tool-name <name>', 'calls of this tool', text)
    .addOption(new Option('--state <state>', 'calls in this state').choices(TOOL_CALL_STATES))
    .option('--error', 'calls that ended in an error')
    .option('--no-error', 'calls that did not')
    .option('--approval', 'calls that needed an approval, decided or not')
    .option('--no-approval', 'calls that needed none')
    .action(async (agentId: string | undefined) => {
      const flags = command.optsWithGlobals<ToolFlags>();
      const { toolName, state, error: isError, approval: hasApproval } = flags;
      const filter = {
        ...{ agentId, toolName, state, isError, hasApproval },
        ...createdFilter(flags),
        ...pageFilter(flags),
      };
      checkFilter(validateToolCallFilter, filter);
      const rows = await withStore(flags, (store) => store.queryToolCalls(filter));
      const columns = agentId === undefined ? [agentColumn, ...ownColumns] : ownColumns;
      printRows(terminal, rows, { json: flags.json, columns, nothing: 'No tool calls match.' });
    });
}
