import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import zlib from 'node:zlib'
import { describe, expect, it } from 'vitest'
import { blockHash, hash32 } from '../../src/bytes/hash.js'
import { putU32 } from '../../src/bytes/integers.js'
import { MemoryFileSystem, type OpenOptions, open, SiltstoneError } from '../../src/index.js'
import { FORMAT_VERSION } from '../../src/log/log-header.js'
import { FOOTER_BYTES, TABLE_FORMAT_VERSION } from '../../src/table/footer.js'
import { temporaryDirectories } from './temporary.js'

const newPath = temporaryDirectories()

/** Options that the types would refuse. */
function wrong(options: unknown): OpenOptions {
  return options as OpenOptions
}

/** A store on disk with a table and something in its log. */
async function makeStore(): Promise<string> {
  const path = newPath()
  await using db = await open(path)
  await db.put('in a table', '1')
  await db.flush()
  await db.put('in the log', '2')
  return path
}

function fileOf(path: string, pattern: RegExp): string {
  return join(path, readdirSync(path).findLast((name) => pattern.test(name))!)
}

describe('open', () => {
  it('makes a store, and the directories above it, where there is none', async () => {
    const path = join(newPath(), 'deeper', 'still')
    const db = await open(path)
    await db.put('a', '1')
    expect(await db.get('a')).toBe('1')
    await db.close()
    expect(readdirSync(path)).toContain('CURRENT')
  })

  it('makes a store in a directory that holds files of others, and leaves them alone', async () => {
    const path = newPath()
    mkdirSync(path)
    writeFileSync(join(path, 'notes.txt'), 'mine')
    await using db = await open(path)
    await db.put('a', '1')
    expect(readFileSync(join(path, 'notes.txt'), 'utf8')).toBe('mine')
  })

  it('finds what an earlier session wrote', async () => {
    const path = await makeStore()
    await using db = await open(path)
    expect(await db.getMany(['in a table', 'in the log'])).toEqual(['1', '2'])
  })

  it('without createIfMissing makes nothing, not even the directory', async () => {
    const path = newPath()
    await expect(open(path, { createIfMissing: false })).rejects.toMatchObject({
      code: 'SILT_NOT_FOUND',
      message: expect.stringContaining(path),
    })
    expect(existsSync(path)).toBe(false)
    mkdirSync(path)
    writeFileSync(join(path, 'notes.txt'), 'no store')
    await expect(open(path, { createIfMissing: false })).rejects.toMatchObject({ code: 'SILT_NOT_FOUND' })
    await expect(open(path, { readOnly: true })).rejects.toMatchObject({ code: 'SILT_NOT_FOUND' })
    expect(readdirSync(path)).toEqual(['notes.txt'])
  })

  it('with errorIfExists refuses a store that is there, and only that', async () => {
    const path = newPath()
    await (await open(path, { errorIfExists: true })).close()
    await expect(open(path, { errorIfExists: true })).rejects.toMatchObject({
      code: 'SILT_EXISTS',
      message: expect.stringContaining(path),
    })
    await (await open(path)).close()
  })

  it('refuses a path that is a file, and leaves the file as it is', async () => {
    const path = newPath()
    writeFileSync(path, 'not a directory')
    for (const options of [{}, { readOnly: true }, { createIfMissing: false }]) {
      await expect(open(path, options)).rejects.toMatchObject({
        code: 'SILT_IO',
        message: expect.stringContaining(path),
      })
    }
    await expect(open(join(path, 'below'))).rejects.toMatchObject({ code: 'SILT_IO' })
    expect(readFileSync(path, 'utf8')).toBe('not a directory')
  })

  it('refuses what cannot be a path', async () => {
    for (const path of ['', 'a\0b', undefined, null, 7, {}]) {
      await expect(open(path as string), String(path)).rejects.toMatchObject({ code: 'SILT_INVALID_ARGUMENT' })
    }
  })

  it('rejects, and never throws, whatever it is given', () => {
    const promises = [open(7 as never), open('x', wrong(null)), open('x', wrong({ cacheBytes: -1 }))]
    for (const promise of promises) promise.catch(() => {})
    expect(promises.every((promise) => promise instanceof Promise)).toBe(true)
  })
})

describe('an option', () => {
  it('that is not known is refused together with the one that was meant', async () => {
    const cases: [string, string | undefined][] = [
      ['createIfMising', 'createIfMissing'],
      ['error_if_exists', 'errorIfExists'],
      ['readonly', 'readOnly'],
      ['valueEncodng', 'valueEncoding'],
      ['writeBufferSize', 'writeBufferBytes'],
      ['xyzzyplugh', undefined],
    ]
    for (const [typed, meant] of cases) {
      const error = await open(':memory:', wrong({ [typed]: true })).catch((refusal: unknown) => refusal)
      expect(error).toBeInstanceOf(SiltstoneError)
      const { code, message } = error as SiltstoneError
      expect(code).toBe('SILT_INVALID_ARGUMENT')
      expect(message).toContain(`'${typed}'`)
      if (meant === undefined) expect(message).not.toContain('did you mean')
      else expect(message).toContain(`did you mean '${meant}'?`)
    }
  })

  it('that is inherited by every object is not taken for a known one', async () => {
    for (const option of ['constructor', 'toString', 'hasOwnProperty']) {
      await expect(open(':memory:', wrong({ [option]: true }))).rejects.toMatchObject({ code: 'SILT_INVALID_ARGUMENT' })
      // `valueEncoding: 'toString'` was found among the methods of the list of encodings, and accepted.
      await expect(open(':memory:', wrong({ valueEncoding: option }))).rejects.toMatchObject({
        code: 'SILT_INVALID_ARGUMENT',
      })
    }
  })

  it.each([
    { createIfMissing: 'yes' },
    { errorIfExists: 1 },
    { readOnly: null },
    { sync: 'true' },
    { keyEncoding: 'utf16' },
    { valueEncoding: { encode: () => '' } },
    { valueEncoding: 7 },
    { keyEncoding: null },
    { writeBufferBytes: '32 MiB' },
    { writeBufferBytes: 1 },
    { cacheBytes: -1 },
    { cacheBytes: 1.5 },
    { blockBytes: Number.NaN },
    { restartInterval: 0 },
    { compression: 'gzip' },
    { filterBitsPerKey: -1 },
    { compaction: 'level' },
    { recovery: 'hope' },
    { maxOpenFiles: 0 },
    { fs: {} },
    { fs: 'disk' },
    { clock: Date },
    { executor: 'thread' },
  ])('of a wrong kind is refused by its name, before anything is made: %j', async (options) => {
    const path = newPath()
    await expect(open(path, wrong(options))).rejects.toMatchObject({
      code: 'SILT_INVALID_ARGUMENT',
      message: expect.stringContaining(Object.keys(options)[0]!),
    })
    expect(existsSync(path)).toBe(false)
  })

  it('that is undefined counts as left out', async () => {
    await using db = await open(':memory:', wrong({ createIfMissing: undefined, valueEncoding: undefined }))
    await db.put('a', '1')
    expect(await db.get('a')).toBe('1')
  })

  it('that names a compression which this Node lacks is refused at once, not by every compaction', async () => {
    const hasZstd = 'zstdCompressSync' in zlib
    const outcomeOf = (made: Promise<unknown>): Promise<unknown> =>
      made.then(
        () => 'made',
        ({ code }) => code,
      )
    const expected = hasZstd ? 'made' : 'SILT_NOT_SUPPORTED'
    expect(await outcomeOf(open(':memory:', { compression: 'zstd' }))).toBe(expected)
    await using db = await open(':memory:')
    expect(await outcomeOf((async () => db.keyspace('small', { compression: 'zstd' }))())).toBe(expected)
  })

  it('object that is none is refused', async () => {
    for (const options of [null, 'utf8', 7]) {
      await expect(open(':memory:', wrong(options))).rejects.toMatchObject({ code: 'SILT_INVALID_ARGUMENT' })
    }
  })
})

describe("':memory:'", () => {
  it('is the same engine with nothing on disk', async () => {
    const before = readdirSync('.')
    const db = await open(':memory:', { writeBufferBytes: 64 * 1024 })
    for (let i = 0; i < 3000; i++) await db.put(String(i).padStart(6, '0'), 'x'.repeat(100))
    await db.compact()
    expect(db.stats().files).toBeGreaterThan(0)
    expect(await db.count()).toBe(3000)
    await db.close()
    expect(readdirSync('.')).toEqual(before)
  })

  it('gives every opening a store of its own', async () => {
    await using one = await open(':memory:')
    await using two = await open(':memory:')
    await one.put('a', '1')
    expect(await two.get('a')).toBeUndefined()
  })

  it('is forgotten when it is closed, unless the file system is the caller’s', async () => {
    const fs = new MemoryFileSystem()
    for (const expected of [undefined, '1']) {
      await using db = await open('/store', { fs })
      expect(await db.get('a')).toBe(expected)
      await db.put('a', '1')
    }
  })
})

describe('a damaged store', () => {
  it('without CURRENT is never taken for an empty place', async () => {
    const path = await makeStore()
    const current = join(path, 'CURRENT')
    renameSync(current, join(path, 'elsewhere'))
    const before = readdirSync(path)
    for (const options of [{}, { readOnly: true }, { createIfMissing: false }]) {
      await expect(open(path, options)).rejects.toMatchObject({
        code: 'SILT_CORRUPTION',
        message: expect.stringContaining('CURRENT'),
      })
    }
    await expect(open(path, { errorIfExists: true })).rejects.toMatchObject({ code: 'SILT_EXISTS' })
    expect(readdirSync(path).filter((name) => name !== 'LOCK')).toEqual(before.filter((name) => name !== 'LOCK'))
    renameSync(join(path, 'elsewhere'), current)
    await using db = await open(path)
    expect(await db.count()).toBe(2)
  })

  it.each([/^\d+\.log$/, /^\d+\.sst$/, /^MANIFEST-/])(
    'of which only %s is left is a store that is damaged',
    async (kind) => {
      const path = await makeStore()
      for (const name of readdirSync(path)) if (!kind.test(name)) rmSync(join(path, name))
      await expect(open(path)).rejects.toMatchObject({ code: 'SILT_CORRUPTION' })
    },
  )

  it('whose CURRENT names nothing says so', async () => {
    const path = await makeStore()
    for (const content of ['', 'MANIFEST-0', '../../etc/passwd\n', 'MANIFEST-999999\n']) {
      writeFileSync(join(path, 'CURRENT'), content)
      await expect(open(path), JSON.stringify(content)).rejects.toMatchObject({ code: 'SILT_CORRUPTION' })
    }
  })

  it('is unlocked again after it was refused', async () => {
    const path = await makeStore()
    const sound = readFileSync(join(path, 'CURRENT'))
    writeFileSync(join(path, 'CURRENT'), 'nonsense')
    await expect(open(path)).rejects.toMatchObject({ code: 'SILT_CORRUPTION' })
    writeFileSync(join(path, 'CURRENT'), sound)
    await (await open(path)).close()
  })
})

describe('a store of a newer version', () => {
  /** Sets the format version of a log file, as a newer Siltstone would. */
  function newerLog(file: string): void {
    const bytes = readFileSync(file)
    putU32(bytes, 8, FORMAT_VERSION + 1)
    putU32(bytes, 76, hash32(bytes, 0, 76, 0))
    writeFileSync(file, bytes)
  }

  it.each([
    ['manifest', /^MANIFEST-/],
    ['log', /^\d+\.log$/],
  ])('is recognized by its %s', async (_, pattern) => {
    const path = await makeStore()
    const file = fileOf(path, pattern)
    newerLog(file)
    for (const options of [{}, { readOnly: true }]) {
      await expect(open(path, options)).rejects.toMatchObject({
        code: 'SILT_FORMAT',
        file,
        message: expect.stringContaining('newer'),
      })
    }
  })

  it('is recognized by its tables when they are read', async () => {
    const path = await makeStore()
    const file = fileOf(path, /^\d+\.sst$/)
    const bytes = readFileSync(file)
    const footer = bytes.subarray(bytes.length - FOOTER_BYTES)
    putU32(footer, FOOTER_BYTES - 16, TABLE_FORMAT_VERSION + 1)
    putU32(footer, FOOTER_BYTES - 12, blockHash(footer, 0, FOOTER_BYTES - 12, 0))
    writeFileSync(file, bytes)
    const newer = { code: 'SILT_FORMAT', file, message: expect.stringContaining('newer') }
    await using db = await open(path)
    await expect(db.get('in a table')).rejects.toMatchObject(newer)
    expect(() => db.getSync('in a table')).toThrow(expect.objectContaining(newer))
  })
})
