import type { Command } from 'commander'
import type { Host } from './host.js'

/** Commands that are loaded together. */
export interface Group {
  readonly heading: string
  /** Known without loading the group, so that a start loads one group and not all. */
  readonly names: readonly string[]
  load(): Promise<{ commands(host: Host): Command[] }>
}

export const groups: readonly Group[] = [
  { heading: 'Entries:', names: ['get', 'mget', 'put', 'del', 'batch'], load: () => import('./commands/data.js') },
  { heading: 'Ranges:', names: ['scan', 'count', 'delrange', 'watch'], load: () => import('./commands/ranges.js') },
  { heading: 'In and out:', names: ['import', 'export'], load: () => import('./commands/bulk.js') },
  {
    heading: 'Care:',
    names: [
      'stats',
      'keyspaces',
      'levels',
      'approx-size',
      'compact',
      'flush',
      'checkpoint',
      'backup',
      'restore',
      'destroy',
    ],
    load: () => import('./commands/care.js'),
  },
  {
    heading: 'Forensics, which never take the lock:',
    names: ['verify', 'repair', 'dump'],
    load: () => import('./commands/forensics.js'),
  },
  { heading: 'Logs:', names: ['log'], load: () => import('./commands/log.js') },
  { heading: 'Messages:', names: ['queue', 'topic'], load: () => import('./commands/messages.js') },
  { heading: 'Shards:', names: ['shard'], load: () => import('./commands/shards.js') },
  { heading: 'Measuring:', names: ['bench'], load: () => import('./commands/bench.js') },
  {
    heading: 'This program and this machine:',
    names: ['shell', 'completion', 'doctor', 'version'],
    load: () => import('./commands/own.js'),
  },
]
