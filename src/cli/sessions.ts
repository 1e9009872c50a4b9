import { type Command, Option } from 'commander';
import type { AgentInfo } from '../model/agent.ts';
import type { SessionQueryFilter } from '../store/filters.ts';
import { validateSessionFilter } from '../store/validate-filter.ts';
import {
  addAgentFlags,
  addCreatedFlags,
  addPageFlags,
  agentFilter,
  checkFilter,
  pageFilter,
} from './flags.ts';
import { type GlobalFlags, withStore } from './open-store.ts';
import type { Column } from './table.ts';
import { agentColumn, formatInstant, printRows, type Terminal } from './terminal.ts';

const columns: Column<AgentInfo>[] = [
  agentColumn,
  { title: 'TEMPLATE', value: (agent) => agent.templateId, min: 8 },
  { title: 'USER', value: (agent) => agent.userId, min: 8, optional: true },
  { title: 'STATUS', value: (agent) => agent.status },
  { title: 'MESSAGES', value: (agent) => agent.messageCount, align: 'right' },
  { title: 'CREATED (UTC)', value: (agent) => formatInstant(agent.createdAt) },
  { title: 'UPDATED (UTC)', value: (agent) => formatInstant(agent.updatedAt) },
];

export function addSessions(program: Command, terminal: Terminal): void {
  const command = program.command('sessions').description('list agents, newest first');
  addPageFlags(addCreatedFlags(addAgentFlags(command)))
    .addOption(
      new Option('--sort-by <instant>', 'order by this instant (default: createdAt)').choices([
        'createdAt',
        'updatedAt',
      ]),
    )
    .action(async () => {
      const flags = command.optsWithGlobals<SessionQueryFilter & GlobalFlags>();
      const filter = { ...agentFilter(flags), ...pageFilter(flags), sortBy: flags.sortBy };
      checkFilter(validateSessionFilter, filter);
      const rows = await withStore(flags, (store) => store.querySessions(filter));
      printRows(terminal, rows, { json: flags.json, columns, nothing: 'No agents match.' });
    });
}
