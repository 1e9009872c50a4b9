import { quoteIdentifier } from './dialect.ts';

/** Says which privilege is lacking, and how it is granted. `message`: the server's own. */
export function lackOfPrivilege(message: string, user: string, schema: string): string {
  const [where, role] = [quoteIdentifier(schema), quoteIdentifier(user)];
  return `The database user "${user}" lacks a privilege (${message}). ${remedy(message, where, role)}`;
}

function remedy(message: string, schema: string, role: string): string {
  if (/must be (able to .*)?owner of/.test(message)) {
    return 'Only the owner of the tables can change them: open the store once as the role that created them.';
  }
  const [, kind, name = ''] = /permission denied for (\w+) "?([^"]*)/.exec(message) ?? [];
  switch (kind) {
    case 'table':
    case 'view':
      return `To read and write rows it needs GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA ${schema} TO ${role}.`;
    case 'sequence':
      return `To write rows it needs GRANT USAGE ON ALL SEQUENCES IN SCHEMA ${schema} TO ${role}.`;
    case 'database':
      return `To create the schema ${schema} it needs GRANT CREATE ON DATABASE ${quoteIdentifier(name)} TO ${role}; or create the schema for it.`;
    case 'schema':
      return `The first store on a schema creates the tables, and needs GRANT CREATE, USAGE ON SCHEMA ${schema} TO ${role}; others need USAGE, and privileges on the tables.`;
  }
  // The server may speak another language.
  return `To read and write rows it needs USAGE on the schema ${schema}, SELECT, INSERT, UPDATE and DELETE on its tables, and USAGE on its sequence; to create the tables, CREATE on the schema; to change them, ownership.`;
}
