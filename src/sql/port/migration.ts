/**
 * A step of a database's schema. Once a version with it is released its text never changes: whoever needs
 * another table or column adds a migration. Nothing in it is computed from what the code defines today.
 */
export interface Migration {
  /** From 1, without gaps. */
  readonly id: number;
  readonly name: string;
  /** SHA-256 of the text, which every database that has the migration records. */
  readonly checksum: string;
  /** In order. `{heads}` is the table, `{view sessions}` the view, by whatever name they have there. */
  readonly statements: readonly string[];
}
