import { fileOf, importsOf, type Sources } from './import-graph.ts';

/** Files that import each other by whatever way, types included: each circle's, in order of their names. */
export function circles(sources: Sources): string[][] {
  const found: string[][] = [];
  const order = new Map<string, number>();
  const lowest = new Map<string, number>();
  const open: string[] = [];
  const visit = (file: string): number => {
    const own = order.size;
    order.set(file, own);
    lowest.set(file, own);
    open.push(file);
    for (const imported of importedBy(file, sources)) {
      const reached = order.has(imported)
        ? open.includes(imported)
          ? order.get(imported)
          : own
        : visit(imported);
      lowest.set(file, Math.min(lowest.get(file) ?? own, reached ?? own));
    }
    const low = lowest.get(file) ?? own;
    // The first one of its circle: whatever is open above it reaches it, and is reached from it.
    if (low === own) {
      const circle = open.splice(open.indexOf(file));
      if (circle.length > 1) found.push(circle.sort());
    }
    return low;
  };
  for (const file of sources.keys()) if (!order.has(file)) visit(file);
  return found;
}

function importedBy(file: string, sources: Sources): string[] {
  return importsOf(sources.get(file) ?? '')
    .map(({ specifier }) => fileOf(file, specifier))
    .filter((imported) => imported !== undefined && sources.has(imported)) as string[];
}
