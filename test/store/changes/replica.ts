import type { Commit, Database } from '../../../src/index.js'

/** Does to one store what a commit has done to another: all of it at once, exactly. */
export async function applyTo(replica: Database, { operations }: Commit<string, string>): Promise<void> {
  await replica.batch(operations)
}

/** Everything in a store, by keyspace; what is empty is not there. */
export function contentOf(db: Database): Record<string, [string, string][]> {
  const content: Record<string, [string, string][]> = {}
  for (const name of ['', ...db.keyspaceNames()]) {
    const entries = [...(name === '' ? db : db.keyspace(name)).entries()]
    if (entries.length > 0) content[name] = entries
  }
  return content
}

/** The commits there are after a position. */
export async function commitsOf(db: Database, since: number | 'oldest' = 0): Promise<Commit<string, string>[]> {
  const commits: Commit<string, string>[] = []
  for await (const commit of db.changes({ since, follow: false })) commits.push(commit)
  return commits
}
