import { invalid } from '../bytes/errors.js'
import type { LatencyStats } from '../bytes/latency.js'
import { describe } from './encoding.js'
import { checkNames } from './option-names.js'
import type { StoreStats } from './stats.js'

/** What `db.metrics` takes. */
export interface MetricsOptions {
  /** Added to every sample, to tell the stores of one process apart. */
  labels?: Readonly<Record<string, string>>
}

type Labels = Readonly<Record<string, string | number>>

/** The figures of a store in the text format that Prometheus scrapes. Times are in seconds, as is the custom there. */
export function metricsText(stats: StoreStats, options: MetricsOptions): string {
  checkNames(options, ['labels'], 'metrics')
  const { labels = {} } = options
  if (typeof labels !== 'object' || labels === null) {
    throw invalid(`Option labels must be an object of texts, not ${describe(labels)}`)
  }
  const text = new Exposition(labels)
  const { cache, filters, flushes, compactions, memory, log, latencies, amplification } = stats
  text.family('level_tables', 'gauge', 'Tables of a level.')
  for (const { level, tables } of stats.levels) text.sample(tables, { level })
  text.family('level_bytes', 'gauge', 'Bytes on disk of the tables of a level.')
  for (const { level, bytes } of stats.levels) text.sample(bytes, { level })
  text.family('keyspace_bytes', 'gauge', 'Bytes on disk of the tables of a keyspace; the default one has no name.')
  for (const { name, levels } of stats.keyspaces) {
    const bytes = levels.reduce((sum, level) => sum + level.bytes, 0)
    text.sample(bytes, { keyspace: name })
  }
  text.family('memory_bytes', 'gauge', 'Memory in use, by what it is used for.')
  for (const [use, bytes] of Object.entries(memory)) text.sample(bytes, { use })
  text.family('cache_capacity_bytes', 'gauge', 'What the block cache may take.').sample(cache.capBytes)
  text.family('cache_hits_total', 'counter', 'Blocks, index parts and filters found in memory.').sample(cache.hits)
  text.family('cache_misses_total', 'counter', 'Blocks, index parts and filters read from disk.').sample(cache.misses)
  text.family('cache_evictions_total', 'counter', 'What had to go from the cache for others.').sample(cache.evictions)
  text.family('filter_checks_total', 'counter', 'Lookups in a table that asked its filter.').sample(filters.checks)
  text.family('filter_useful_total', 'counter', 'Lookups that a filter answered alone.').sample(filters.useful)
  text
    .family('filter_false_positives_total', 'counter', 'Lookups that a filter let through for nothing.')
    .sample(filters.falsePositives)
  text.family('flushes_total', 'counter', 'Segments of the log that were turned into tables.').sample(flushes.count)
  text.family('flush_written_bytes_total', 'counter', 'Bytes that flushes have written.').sample(flushes.bytesWritten)
  text.family('compactions_total', 'counter', 'Compactions that have ended.').sample(compactions.count)
  text
    .family('compaction_read_bytes_total', 'counter', 'Bytes that compactions have read.')
    .sample(compactions.bytesRead)
  text
    .family('compaction_written_bytes_total', 'counter', 'Bytes that compactions have written.')
    .sample(compactions.bytesWritten)
  text
    .family('job_failures_total', 'counter', 'Flushes and compactions that failed and are tried again.')
    .sample(stats.failures)
  text.family('jobs_running', 'gauge', 'Flushes, compactions and removals under way.').sample(stats.running.length)
  text.family('stalls_total', 'counter', 'How often writers were slowed down, by reason.')
  for (const { reason, count } of stats.stalls) text.sample(count, { reason })
  text.family('stall_seconds_total', 'counter', 'How long writers were slowed down, by reason.')
  for (const { reason, totalMs } of stats.stalls) text.sample(totalMs / 1000, { reason })
  text.family('amplification', 'gauge', 'Bytes written, sources read and bytes kept for each that there had to be.')
  for (const [kind, factor] of Object.entries(amplification)) text.sample(factor, { kind })
  text.family('log_position', 'gauge', 'Everything committed is before this position of the log.').sample(log.position)
  text.family('log_synced_position', 'gauge', 'What survives a loss of power.').sample(log.syncedPosition)
  text.family('log_segments', 'gauge', 'Segments of the log that are not in tables.').sample(log.segments)
  text.family('pins', 'gauge', 'Snapshots and scans that are open.').sample(stats.pins.count)
  text.summary(
    'commit_seconds',
    'From the first write of a group to its visibility; one group of 16 is measured.',
    latencies.commits,
  )
  text.summary('sync_seconds', 'Syncs of the commit log.', latencies.syncs)
  text.summary('read_seconds', 'Reads of blocks from the disk or its page cache.', latencies.reads)
  return text.toString()
}

const LABEL_NAME = /^[a-zA-Z_][a-zA-Z0-9_]*$/

/** Families of samples, one after the other. */
class Exposition {
  private readonly lines: string[] = []
  private readonly labels: Labels
  private name = ''

  constructor(labels: Labels) {
    for (const name of Object.keys(labels)) {
      if (!LABEL_NAME.test(name)) throw invalid(`A label is called like a variable, not '${name}'`)
    }
    this.labels = labels
  }

  family(name: string, type: 'counter' | 'gauge' | 'summary', help: string): this {
    this.name = `siltstone_${name}`
    this.lines.push(`# HELP ${this.name} ${help}`, `# TYPE ${this.name} ${type}`)
    return this
  }

  sample(value: number, labels: Labels = {}, suffix = ''): void {
    const all = Object.entries({ ...this.labels, ...labels }).map(
      ([name, text]) => `${name}="${escaped(String(text))}"`,
    )
    this.lines.push(`${this.name}${suffix}${all.length === 0 ? '' : `{${all.join(',')}}`} ${value}`)
  }

  /** A summary and not a histogram, because percentiles are what the store keeps. */
  summary(name: string, help: string, latency: LatencyStats): void {
    this.family(name, 'summary', help)
    const { p50Ms, p90Ms, p99Ms, p999Ms, totalMs, count } = latency
    for (const [quantile, ms] of Object.entries({ 0.5: p50Ms, 0.9: p90Ms, 0.99: p99Ms, 0.999: p999Ms })) {
      this.sample(ms / 1000, { quantile })
    }
    this.sample(totalMs / 1000, {}, '_sum')
    this.sample(count, {}, '_count')
  }

  toString(): string {
    return `${this.lines.join('\n')}\n`
  }
}

function escaped(text: string): string {
  return text.replaceAll('\\', '\\\\').replaceAll('"', '\\"').replaceAll('\n', '\\n')
}
