import { existsSync, readdirSync, readFileSync, truncateSync, writeFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { temporaryDirectories } from '../store/temporary.js'
import { ended, jsonLines, kv, says, start } from './kv-cli.js'

const directory = temporaryDirectories()

async function filled(): Promise<string> {
  const db = directory()
  const lines = Array.from({ length: 500 }, (_, i) => `put\tkey:${String(i).padStart(4, '0')}\t${i}\n`)
  await kv(['batch', '--db', db], { input: lines.join('') })
  await kv(['flush', '--db', db])
  return db
}

function tableOf(db: string): string {
  return readdirSync(db).find((name) => name.endsWith('.sst'))!
}

describe('care', () => {
  it('shows the tree, and makes it smaller', async () => {
    const db = await filled()
    expect((await kv(['levels', '--db', db])).out).toMatch(/level 0 {2}1 table, .*500 entries\n.*█/)
    expect(jsonLines((await kv(['levels', '--json', '--db', db])).out)).toMatchObject([
      { keyspace: '', level: 0, gte: 'key:0000', entries: 500, deletions: 0 },
    ])
    await kv(['delrange', '--gte', 'key:0100', '--yes', '--db', db])
    expect(jsonLines((await kv(['compact', '--json', '--db', db])).out)).toMatchObject([{ tables: 1 }])
    expect(jsonLines((await kv(['levels', '--json', '--db', db])).out)).toMatchObject([{ level: 6, entries: 100 }])
    const svg = `${directory()}.svg`
    expect(await kv(['levels', '--svg', svg, '--db', db])).toMatchObject({ code: 0, out: '' })
    expect(readFileSync(svg, 'utf8')).toMatch(/^<svg [\s\S]*100 entries<\/title>[\s\S]*<\/svg>\n$/)
    expect(Number((await kv(['approx-size', '--prefix', 'key:', '--db', db])).out)).toBeGreaterThan(0)
  })

  it('has figures, once or again and again', async () => {
    const db = await filled()
    expect((await kv(['stats', '--db', db])).out).toContain('level 0')
    const watching = start(['stats', '--watch', '--every', '10ms', '--json', '--db', db])
    const end = ended(watching)
    await says(watching, /\n.*\n/)
    watching.kill('SIGINT')
    const { code, out } = await end
    expect(code).toBe(130)
    expect(jsonLines(out)[1]).toMatchObject({ files: 1, time: expect.any(Number) })
  })

  it('copies a store, and brings it back', async () => {
    const db = await filled()
    const copy = directory()
    expect(await kv(['checkpoint', copy, '--db', db])).toMatchObject({ code: 0 })
    expect((await kv(['count', '--db', copy])).out).toBe('500\n')
    const backups = directory()
    expect(jsonLines((await kv(['backup', 'create', backups, '--json', '--db', db])).out)).toMatchObject([{ id: 1 }])
    await kv(['put', 'later', '1', '--db', db])
    await kv(['backup', 'create', backups, '--db', db])
    expect(jsonLines((await kv(['backup', 'list', backups, '--json'])).out)).toMatchObject([{ id: 1 }, { id: 2 }])
    expect(await kv(['backup', 'verify', backups, '2'])).toMatchObject({ code: 0 })
    expect(await kv(['restore', backups, '1', '--db', db])).toMatchObject({
      code: 2,
      err: expect.stringContaining('--yes'),
    })
    expect(await kv(['restore', backups, '1', '--yes', '--db', db])).toMatchObject({ code: 0 })
    expect((await kv(['count', '--db', db])).out).toBe('500\n')
    expect(await kv(['restore', backups, '7', '--db', directory()])).toMatchObject({
      code: 1,
      err: expect.stringContaining('there are: 1, 2'),
    })
    expect(await kv(['backup', 'prune', backups, '--keep', '1'])).toMatchObject({ code: 2 })
    expect(await kv(['backup', 'prune', backups, '--keep', '1', '--yes'])).toMatchObject({ code: 0 })
    expect(jsonLines((await kv(['backup', 'list', backups, '--json'])).out)).toMatchObject([{ id: 2 }])
  })

  it('removes a store only when that was said twice', async () => {
    const db = await filled()
    expect(await kv(['destroy', '--db', db])).toMatchObject({ code: 2, err: expect.stringContaining('--yes') })
    expect(existsSync(db)).toBe(true)
    expect(await kv(['destroy', '--yes', '--db', db])).toMatchObject({ code: 0 })
    expect(existsSync(db)).toBe(false)
  })
})

describe('forensics', () => {
  it('finds damage, says what can be saved, and saves it', async () => {
    const db = await filled()
    expect(await kv(['verify', '--db', db])).toMatchObject({ code: 0, out: expect.stringContaining('nothing wrong') })
    const table = `${db}/${tableOf(db)}`
    truncateSync(table, readFileSync(table).length - 100)
    const verified = await kv(['verify', '--json', '--db', db])
    expect(verified.code).toBe(1)
    expect(jsonLines(verified.out).at(-1)).toMatchObject({ ok: false })
    const planned = await kv(['repair', '--dry-run', '--json', '--db', db])
    expect(jsonLines(planned.out)).toContainEqual(expect.objectContaining({ file: tableOf(db) }))
    expect(await kv(['repair', '--db', db])).toMatchObject({ code: 2, err: expect.stringContaining('--yes') })
    expect(await kv(['repair', '--yes', '--db', db])).toMatchObject({ code: 0 })
    expect((await kv(['count', '--db', db])).out).toBe('500\n')
  })

  it('prints what stands in files', async () => {
    const db = await filled()
    await kv(['batch', '--db', db], { input: 'put\tfresh\tvalue\ndel\tkey:0001\n' })
    const table = jsonLines((await kv(['dump', 'sst', tableOf(db), '--limit', '2', '--json', '--db', db])).out)
    expect(table).toMatchObject([
      { record: 'properties', entryCount: 500, smallestKey: 'key:0000' },
      { record: 'put', key: 'key:0000', value: '0' },
    ])
    const log = jsonLines((await kv(['dump', 'log', '--json', '--db', db])).out)
    expect(log[0]).toMatchObject({ record: 'header', magic: 'SILTLOG' })
    expect(log.slice(-3)).toMatchObject([
      { record: 'commit', operations: 2 },
      { record: 'put', key: 'fresh', value: 'value' },
      { record: 'del', key: 'key:0001' },
    ])
    expect((await kv(['dump', 'manifest', '--db', db])).out).toMatch(/^header .*\nedit .*storeId/)
    expect(await kv(['dump', 'sst', '99', '--db', db])).toMatchObject({
      code: 1,
      err: expect.stringContaining('000099.sst'),
    })
    expect(await kv(['dump', 'sst', 'CURRENT', '--db', db])).toMatchObject({ code: 2 })
  })

  it('prints the log as commits', async () => {
    const db = directory()
    await kv(['batch', '--db', db], { input: 'put\ta\t1\ndel\tb\n' })
    await kv(['delrange', '--prefix', 'x', '--yes', '--db', db])
    const commits = jsonLines((await kv(['log', 'tail', '--no-follow', '--json', '--db', db])).out)
    expect(commits).toMatchObject([
      {
        operations: [
          { type: 'put', key: 'a', value: '1' },
          { type: 'del', key: 'b' },
        ],
      },
      { operations: [{ type: 'clear', gte: 'x', lt: 'y' }] },
    ])
    const { position } = commits[0] as { position: number }
    const rest = await kv(['log', 'tail', '--no-follow', '--since', String(position), '--db', db])
    expect(rest.out).toMatch(/^\d+\tclear\t\tx\.\.y\n$/)
  })
})

describe('doctor', () => {
  it('looks at the machine and at the store, and leaves nothing behind', async () => {
    const db = await filled()
    const before = readdirSync(db)
    const topics = jsonLines((await kv(['doctor', '--json', '--db', db])).out) as { topic: string; verdict: string }[]
    expect(topics.map(({ topic }) => topic)).toEqual(expect.arrayContaining(['Node', 'disk', 'fsync', 'store']))
    expect(readdirSync(db)).toEqual(before)
    writeFileSync(`${db}/CURRENT`, 'nonsense')
    expect(await kv(['doctor', '--db', db])).toMatchObject({ code: 1, out: expect.stringContaining('bad  store') })
  })
})
