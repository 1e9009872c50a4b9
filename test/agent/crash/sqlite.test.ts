import { dirname, join } from 'node:path';
import { makeTemporaryDirectory, removeDirectory } from '../../support/temporary.ts';
import { crashMatrix } from './matrix.ts';
import type { Place } from './place.ts';

crashMatrix({
  name: 'SQLite',
  make: async (): Promise<Place> => ({
    kind: 'sqlite',
    path: join(await makeTemporaryDirectory(), 'agents.db'),
  }),
  remove: (place) => (place.kind === 'sqlite' ? removeDirectory(dirname(place.path)) : Promise.resolve()),
});
