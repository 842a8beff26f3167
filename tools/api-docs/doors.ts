/** What the reference says of one entry of the package: a page, and the groups its names stand in. */
export interface Door {
  /** What is imported. */
  readonly specifier: string
  readonly source: string
  readonly page: string
  readonly groups: readonly Group[]
}

/** Names whose sources fit the pattern; the first group that fits takes a name. */
export interface Group {
  readonly title: string
  readonly sources: RegExp
}

const everything = (title: string): Group[] => [{ title, sources: /./ }]

export const DOORS: readonly Door[] = [
  {
    specifier: 'siltstone',
    source: 'src/index.ts',
    page: 'siltstone.md',
    groups: [
      {
        title: 'A store',
        sources: /messaging-database|store\/(database|close-options|options|destroy|recover)\.|log\/recovery/,
      },
      { title: 'Keyspaces, reads and writes', sources: /store\/(keyspace|reader|write-target|batch|batch-part)\./ },
      { title: 'Scans and snapshots', sources: /store\/(scan|snapshot|bounds)\./ },
      { title: 'Transactions', sources: /store\/(transact|transaction)\./ },
      { title: 'Indexes', sources: /store\/indexes\// },
      {
        title: 'Changes, watching and replicas',
        sources: /store\/(changes|watch|replicate|follow|pull-stream|retained)/,
      },
      { title: 'Copies and repair', sources: /store\/(backup|checkpoint|repair|verify)/ },
      { title: 'Queues, topics and logs', sources: /src\/queue\// },
      { title: 'Encodings', sources: /store\/encoding/ },
      { title: 'Figures and events', sources: /store\/(stats|metrics)|bytes\/(latency|diagnostics)/ },
      { title: 'Errors', sources: /bytes\/errors/ },
      { title: 'Files, time and layout', sources: /src\/fs\/|bytes\/(clock|compression)|tree\/tree-options/ },
    ],
  },
  {
    specifier: 'siltstone/shard',
    source: 'src/shard.ts',
    page: 'shard.md',
    groups: [
      { title: 'A sharded store', sources: /sharded-store|shard-options/ },
      {
        title: 'Keyspaces, reads and writes',
        sources: /sharded-(keyspace|batch|reader|scan|snapshot|transaction|write)/,
      },
      { title: 'Queues, topics and logs', sources: /sharded-(log|message|queue|topic|worker)/ },
      { title: 'Moving keys', sources: /rebalanc|balance/ },
      { title: 'Placements', sources: /placement\/|bounded-loads/ },
    ],
  },
  { specifier: 'siltstone/level', source: 'src/level.ts', page: 'level.md', groups: everything('In place of Level') },
  { specifier: 'siltstone/keyv', source: 'src/keyv.ts', page: 'keyv.md', groups: everything('Storage of a Keyv') },
  {
    specifier: 'siltstone/unstorage',
    source: 'src/unstorage.ts',
    page: 'unstorage.md',
    groups: everything('A driver of unstorage'),
  },
]
