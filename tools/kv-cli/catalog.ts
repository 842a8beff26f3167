import type { Command } from 'commander'

/** Commands that are loaded together. */
export interface Group {
  readonly heading: string
  /** Known without loading the group, so that a start loads one group and not all. */
  readonly names: readonly string[]
  load(): Promise<{ commands(): Command[] }>
}

export const groups: readonly Group[] = [
  { heading: 'Entries:', names: ['get', 'mget', 'put', 'del', 'batch'], load: () => import('./commands/data.js') },
  { heading: 'Ranges:', names: ['scan', 'count', 'delrange', 'watch'], load: () => import('./commands/ranges.js') },
]
