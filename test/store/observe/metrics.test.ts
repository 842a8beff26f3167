import { describe, expect, it } from 'vitest'
import { open } from '../../../src/index.js'

const SAMPLE =
  /^([a-z_]+)(\{[a-z_]+="(?:[^"\\\n]|\\["\\n])*"(?:,[a-z_]+="(?:[^"\\\n]|\\["\\n])*")*\})? (-?\d+(?:\.\d+)?(?:e[+-]?\d+)?)$/

/** Holds every line to the text format, and returns the samples by name and labels. */
function parse(text: string): Map<string, number> {
  const types = new Map<string, string>()
  const samples = new Map<string, number>()
  let family = ''
  expect(text.endsWith('\n')).toBe(true)
  for (const line of text.slice(0, -1).split('\n')) {
    const comment = /^# (HELP|TYPE) (siltstone_[a-z_]+) (.+)$/.exec(line)
    if (comment !== null) {
      const [, keyword, name, rest] = comment as unknown as [string, string, string, string]
      if (keyword === 'HELP') expect(types.has(name), `${name} is there once`).toBe(false)
      else types.set(name, rest)
      family = name
      continue
    }
    const sample = SAMPLE.exec(line)
    expect(sample, line).not.toBeNull()
    const [, name, labels = '', value] = sample as unknown as [string, string, string | undefined, string]
    const type = types.get(family)
    expect(['counter', 'gauge', 'summary'], line).toContain(type)
    expect(type === 'summary' ? name.replace(/_(sum|count)$/, '') : name, line).toBe(family)
    if (type === 'counter') expect(name).toMatch(/_total$/)
    expect(samples.has(name + labels), `${line} is there once`).toBe(false)
    samples.set(name + labels, Number(value))
  }
  return samples
}

describe('metrics', () => {
  it('are the figures of stats in the text format of Prometheus', async () => {
    const db = await open(':memory:', { executor: 'inline' })
    for (let i = 0; i < 100; i++) await db.put(`key ${i}`, 'x')
    await db.flush()
    await db.compact()
    db.getSync('key 5')
    db.engine.admission.countStop('flush is behind', 1500)
    const stats = db.stats()
    const samples = parse(db.metrics())
    expect(samples.get('siltstone_flushes_total')).toBe(stats.flushes.count)
    expect(samples.get('siltstone_compaction_written_bytes_total')).toBe(stats.compactions.bytesWritten)
    expect(samples.get('siltstone_filter_checks_total')).toBe(1)
    expect(samples.get('siltstone_cache_misses_total')).toBe(stats.cache.misses)
    expect(samples.get('siltstone_stall_seconds_total{reason="flush is behind"}')).toBe(1.5)
    expect(samples.get('siltstone_log_position')).toBe(stats.log.position)
    expect(samples.get('siltstone_commit_seconds_count')).toBe(stats.latencies.commits.count)
    expect(samples.get('siltstone_commit_seconds{quantile="0.99"}')).toBe(stats.latencies.commits.p99Ms / 1000)
    const tables = [0, 1, 2, 3, 4, 5, 6].map((level) => samples.get(`siltstone_level_tables{level="${level}"}`)!)
    expect(tables.reduce((sum, each) => sum + each)).toBe(stats.files)
    await db.close()
  })

  it('carry labels of the caller, whatever they hold', async () => {
    const db = await open(':memory:')
    await db.keyspace('a "quoted"\\\nname').put('a', '1')
    const samples = parse(db.metrics({ labels: { store: 'orders' } }))
    expect(samples.has('siltstone_pins{store="orders"}')).toBe(true)
    expect(samples.has('siltstone_keyspace_bytes{store="orders",keyspace="a \\"quoted\\"\\\\\\nname"}')).toBe(true)
    expect(() => db.metrics({ labels: { 'not a name': 'x' } })).toThrow(
      expect.objectContaining({ code: 'SILT_INVALID_ARGUMENT' }),
    )
    await db.close()
    expect(() => db.metrics()).toThrow(expect.objectContaining({ code: 'SILT_NOT_OPEN' }))
  })
})
