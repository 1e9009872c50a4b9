import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type Node, SyntaxKind } from 'typescript/unstable/ast';
import { API, type Project, type Symbol as TypeSymbol } from 'typescript/unstable/sync';

/** A name of the package, or one that the types of others lead to. */
export interface PublicType {
  name: string;
  /** Entries that export it. None: it is reached through the types of others. */
  entries: string[];
  /** Below src. */
  file: string;
  documented: boolean;
  members: PublicMember[];
}

export interface PublicMember {
  name: string;
  documented: boolean;
}

const src = fileURLToPath(new URL('../../src/', import.meta.url));
const config = fileURLToPath(new URL('../../tsconfig.json', import.meta.url));

const DECLARATIONS = new Set([
  SyntaxKind.InterfaceDeclaration,
  SyntaxKind.TypeAliasDeclaration,
  SyntaxKind.ClassDeclaration,
  SyntaxKind.FunctionDeclaration,
  SyntaxKind.VariableDeclaration,
]);
const MEMBERS = new Set([
  SyntaxKind.PropertySignature,
  SyntaxKind.MethodSignature,
  SyntaxKind.PropertyDeclaration,
  SyntaxKind.MethodDeclaration,
  SyntaxKind.GetAccessor,
]);

/** Reads what the entries export, and all of ours that it leads to, as the compiler sees it. */
export function readPublicApi(entries: readonly string[]): PublicType[] {
  const api = new API({ cwd: src });
  try {
    const project = api.updateSnapshot({ openProject: config }).getProjects()[0];
    if (project === undefined) throw new Error(`There is no project in ${config}`);
    return new Reader(project).read(entries);
  } finally {
    api.close();
  }
}

class Reader {
  readonly #project: Project;
  readonly #found = new Map<number, PublicType>();
  readonly #queue: TypeSymbol[] = [];

  constructor(project: Project) {
    this.#project = project;
  }

  read(entries: readonly string[]): PublicType[] {
    const { checker, program } = this.#project;
    for (const entry of entries) {
      const file = program.getSourceFile(join(src, entry));
      const module = file && checker.getSymbolAtLocation(file);
      if (module === undefined) throw new Error(`There is no module ${entry}`);
      for (const symbol of checker.getExportsOfModule(module)) this.#meet(symbol, entry);
    }
    for (let symbol = this.#queue.shift(); symbol; symbol = this.#queue.shift()) this.#look(symbol);
    return [...this.#found.values()];
  }

  #meet(given: TypeSymbol, entry?: string): void {
    const symbol = this.#target(given);
    const declared = symbol.declarations.find(({ kind }) => DECLARATIONS.has(kind));
    if (!declared?.path.startsWith(src)) return;
    const file = declared.path;
    let type = this.#found.get(symbol.id);
    if (type === undefined) {
      type = { name: symbol.name, entries: [], file: file.slice(src.length), documented: false, members: [] };
      this.#found.set(symbol.id, type);
      this.#queue.push(symbol);
    }
    if (entry !== undefined) type.entries.push(entry);
  }

  #target(symbol: TypeSymbol): TypeSymbol {
    const [declaration] = symbol.declarations;
    const aliases: SyntaxKind[] = [SyntaxKind.ExportSpecifier, SyntaxKind.ImportSpecifier];
    return declaration && aliases.includes(declaration.kind)
      ? this.#project.checker.getAliasedSymbol(symbol)
      : symbol;
  }

  #look(symbol: TypeSymbol): void {
    const type = this.#found.get(symbol.id);
    for (const handle of symbol.declarations) {
      const node = handle.resolve(this.#project);
      if (type === undefined || node === undefined || !DECLARATIONS.has(node.kind)) continue;
      const whole = node.kind === SyntaxKind.VariableDeclaration ? node.parent.parent : node;
      type.documented ||= hasDocs(whole);
      this.#walk(node, type);
    }
  }

  /** What a caller sees of a declaration: its members, and the types that these name. */
  #walk(node: Node, type: PublicType): void {
    const { initializer } = node as Node & { initializer?: Node };
    node.forEachChild((child) => {
      if (child === initializer || child.kind === SyntaxKind.Block || isHidden(child)) return;
      // The stores' base classes are how they are made; what they offer is in the interfaces.
      if (node.kind === SyntaxKind.ClassDeclaration && child.kind === SyntaxKind.HeritageClause) return;
      if (MEMBERS.has(child.kind)) this.#addMember(child, type);
      const named = namedType(child);
      const symbol = named && this.#project.checker.getSymbolAtLocation(named);
      if (symbol) this.#meet(symbol);
      this.#walk(child, type);
    });
  }

  #addMember(node: Node, type: PublicType): void {
    const owner = node.parent.kind;
    if (owner !== SyntaxKind.InterfaceDeclaration && owner !== SyntaxKind.ClassDeclaration) return;
    const { name, type: its } = node as Node & { name: Node; type?: Node };
    // A constant, as `type: 'text'`, says all that there is to say.
    if (its?.kind === SyntaxKind.LiteralType) return;
    type.members.push({ name: name.getText(), documented: hasDocs(node) });
  }
}

function namedType(node: Node): Node | undefined {
  if (node.kind === SyntaxKind.TypeReference) return (node as Node & { typeName: Node }).typeName;
  if (node.kind === SyntaxKind.ExpressionWithTypeArguments) {
    return (node as Node & { expression: Node }).expression;
  }
  return undefined;
}

function hasDocs(node: Node): boolean {
  return (node.jsDoc ?? []).length > 0;
}

/** Private and protected members, and those whose name begins with `#`. */
function isHidden(node: Node): boolean {
  const { name, modifiers = [] } = node as Node & { name?: Node; modifiers?: readonly Node[] };
  return (
    name?.kind === SyntaxKind.PrivateIdentifier ||
    [...modifiers].some(
      ({ kind }) => kind === SyntaxKind.PrivateKeyword || kind === SyntaxKind.ProtectedKeyword,
    )
  );
}
