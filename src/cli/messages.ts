import { type Command, Option } from 'commander';
import type { MessageRecord } from '../model/message.ts';
import type { MessageQueryFilter } from '../store/filters.ts';
import { validateMessageFilter } from '../store/validate-filter.ts';
import { addCreatedFlags, addPageFlags, checkFilter, createdFilter, pageFilter, text } from './flags.ts';
import { type GlobalFlags, withStore } from './open-store.ts';
import type { Column } from './table.ts';
import { agentColumn, blockGlimpse, formatInstant, printRows, type Terminal } from './terminal.ts';

const ownColumns: Column<MessageRecord>[] = [
  { title: 'SEQ', value: (message) => message.seq, align: 'right' },
  { title: 'ROLE', value: (message) => message.role },
  { title: 'CREATED (UTC)', value: (message) => formatInstant(message.createdAt) },
  { title: 'CONTENT', value: (message) => message.content.map(blockGlimpse).join(' '), min: 20 },
];

export function addMessages(program: Command, terminal: Terminal): void {
  const command = program
    .command('messages')
    .description('list messages of one agent or of all, newest first')
    .argument('[agentId]', 'the agent', text);
  addPageFlags(addCreatedFlags(command))
    .addOption(
      new Option('--role <role>', 'messages with this role').choices(['user', 'assistant', 'system']),
    )
    .addOption(
      new Option('--content-type <type>', 'messages with a block of this type').choices([
        'text',
        'tool_use',
        'tool_result',
      ]),
    )
    .action(async (agentId: string | undefined) => {
      const flags = command.optsWithGlobals<MessageQueryFilter & GlobalFlags>();
      const { role, contentType } = flags;
      const filter = { agentId, role, contentType, ...createdFilter(flags), ...pageFilter(flags) };
      checkFilter(validateMessageFilter, filter);
      const rows = await withStore(flags, (store) => store.queryMessages(filter));
      const columns = agentId === undefined ? [agentColumn, ...ownColumns] : ownColumns;
      printRows(terminal, rows, { json: flags.json, columns, nothing: 'No messages match.' });
    });
}
