import { postgresDatabase } from '../../support/postgres-database.ts';
import { crashMatrix } from './matrix.ts';
import type { Place } from './place.ts';

const database = postgresDatabase('postgres18');

crashMatrix({
  name: 'PostgreSQL',
  async make(): Promise<Place> {
    const { url, createSchema } = await database();
    return { kind: 'postgres', url, schema: await createSchema() };
  },
  async remove(place) {
    const { dropSchema } = await database();
    if (place.kind === 'postgres') await dropSchema(place.schema);
  },
});
