import type { Commit, Database } from '../../../src/index.js'

/** Does to one store what a commit has done to another: all of it at once, exactly. */
export async function applyTo(replica: Database, { operations }: Commit): Promise<void> {
  for (const operation of operations) {
    const keyspace = operation.keyspace === '' ? replica : replica.keyspace(operation.keyspace)
    const exact = keyspace.as<Uint8Array, unknown>({ keyEncoding: 'view' })
    if (operation.type === 'clear') {
      const { start, end } = operation.range
      await exact.clear({ gte: start, ...(end === undefined ? {} : { lt: end }) })
    } else if (operation.type === 'del') await keyspace.del(operation.key as string)
    else {
      const { key, value, expiresAt = Number.POSITIVE_INFINITY } = operation
      const left = expiresAt - replica.engine.clock.now()
      if (left <= 0) await keyspace.del(key as string)
      else await keyspace.put(key as string, value as string, Number.isFinite(left) ? { ttl: left } : {})
    }
  }
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
