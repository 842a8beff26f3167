import { execFile } from 'node:child_process'
import {
  copyFileSync,
  cpSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { build as esbuild } from 'esbuild'
import { rolldown } from 'rolldown'
import { build as vite } from 'vite'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { webpack } from 'webpack'

/*
 * Programs that were bundled with the store in them, and moved away from the sources: they fill several memtables, flush and compact, and lose
 * nothing, with the store's thread beside them and without.
 */

const run = promisify(execFile)

const APP = `
  import { subscribe } from 'node:diagnostics_channel'
  import { open } from 'siltstone'
  const problems = []
  subscribe('siltstone:worker', ({ problem }) => problems.push(problem))
  async function main() {
    const db = await open(process.argv[2], { writeBufferBytes: 1 << 16 })
    for (let b = 0; b < 20; b++) {
      await db.batch(Array.from({ length: 100 }, (_, i) => ({ type: 'put', key: 'k' + ((b * 7919 + i * 31) % 1900), value: 'v'.repeat(100) + b })))
    }
    await db.compact()
    await db.queue('q').send({ a: 1 })
    const [message] = await db.queue('q').receive()
    const { executor, failures, backgroundError, flushes } = db.stats()
    await db.close()
    const again = await open(process.argv[2])
    const count = await again.count()
    const { ok } = await again.verify()
    await again.close()
    console.log(JSON.stringify({
      executor, failures, isFlushed: flushes.count > 2, count, ok, body: message.body, problems, error: backgroundError?.message,
    }))
  }
  main()`

/** What keys the program writes. */
const KEYS = new Set(
  Array.from({ length: 20 }, (_, b) => Array.from({ length: 100 }, (_, i) => (b * 7919 + i * 31) % 1900)).flat(),
)

let project: string

beforeAll(() => {
  project = mkdtempSync(join(tmpdir(), 'siltstone-bundles-'))
  const modules = join(project, 'node_modules')
  mkdirSync(modules)
  for (const name of readdirSync('node_modules')) {
    if (!name.startsWith('.')) symlinkSync(join(process.cwd(), 'node_modules', name), join(modules, name), 'dir')
  }
  // As it is packed: the files, not the folder of the sources with its own packages.
  const home = join(modules, 'siltstone')
  mkdirSync(home)
  copyFileSync('package.json', join(home, 'package.json'))
  cpSync(join('dist', 'src'), join(home, 'dist', 'src'), { recursive: true })
  writeFileSync(join(project, 'app.js'), APP)
})
afterAll(() => rmSync(project, { recursive: true, force: true }))

type Format = 'esm' | 'cjs'
type Bundler = (into: string, format: Format, entries: Record<string, string>) => Promise<unknown>

const bundlers: Record<string, Bundler> = {
  esbuild: (outdir, format, entryPoints) =>
    esbuild({
      entryPoints,
      outdir,
      format,
      absWorkingDir: project,
      bundle: true,
      platform: 'node',
      target: 'node20',
      logLevel: 'silent',
      // What CommonJS inside of an ES module asks for.
      ...(format === 'esm' && {
        banner: { js: "import { createRequire } from 'node:module'; const require = createRequire(import.meta.url);" },
      }),
    }),
  'rolldown, as in Rollup': async (dir, format, input) => {
    const bundle = await rolldown({ input, cwd: project, platform: 'node', logLevel: 'silent' })
    await bundle.write({ dir, format, entryFileNames: '[name].js', chunkFileNames: '[name]-[hash].js' })
    await bundle.close()
  },
  vite: (outDir, format, input) =>
    vite({
      root: project,
      configFile: false,
      logLevel: 'silent',
      ssr: { noExternal: true, target: 'node' },
      build: {
        ssr: true,
        outDir,
        minify: false,
        rolldownOptions: { input, output: { format, entryFileNames: '[name].js', chunkFileNames: '[name]-[hash].js' } },
      },
    }),
  webpack: (path, format, entry) =>
    new Promise<void>((resolve, reject) => {
      const output =
        format === 'esm' ? { library: { type: 'module' as const }, module: true, chunkFormat: 'module' as const } : {}
      webpack(
        {
          mode: 'none',
          context: project,
          target: 'node20',
          entry,
          output: { path, filename: '[name].js', ...output },
          node: { __filename: false },
          ...(format === 'esm' && {
            experiments: { outputModule: true },
            module: { parser: { javascript: { importMeta: false } } },
          }),
        },
        (error, stats) => {
          if (error) reject(error)
          else if (stats?.hasErrors()) reject(new Error(stats.toString()))
          else resolve()
        },
      )
    }),
}

let builds = 0

/** Bundles the program and runs it elsewhere, while the sources are where nobody finds them: without the file for the thread, then with it. */
async function outcomes(bundler: Bundler, format: Format): Promise<unknown[]> {
  const built = join(project, `built-${++builds}`)
  await bundler(built, format, { app: join(project, 'app.js'), 'siltstone-worker': 'siltstone/worker' })
  const home = mkdtempSync(join(tmpdir(), 'siltstone-bundled-'))
  const hidden = `${project}-hidden`
  try {
    writeFileSync(join(home, 'package.json'), JSON.stringify({ type: format === 'esm' ? 'module' : 'commonjs' }))
    for (const name of readdirSync(built)) copyFileSync(join(built, name), join(home, name))
    const thread = join(home, 'siltstone-worker.js')
    renameSync(project, hidden)
    const runApp = async (data: string): Promise<unknown> =>
      JSON.parse((await run(process.execPath, [join(home, 'app.js'), join(home, data)], { timeout: 60_000 })).stdout)
    renameSync(thread, `${thread}.away`)
    const without = await runApp('without')
    renameSync(`${thread}.away`, thread)
    return [without, await runApp('beside')]
  } finally {
    renameSync(hidden, project)
    rmSync(home, { recursive: true, force: true })
  }
}

const LOST_NOTHING = { failures: 0, isFlushed: true, count: KEYS.size, ok: true, body: { a: 1 } }

describe.each(Object.entries(bundlers))('a program bundled by %s', (_, bundler) => {
  it.each(['esm', 'cjs'] as const)(
    'as %s runs without a file for the thread, and finds the one beside it',
    async (format) => {
      const [without, beside] = await outcomes(bundler, format)
      // Both openings notice.
      expect(without).toEqual({ ...LOST_NOTHING, executor: 'inline', problems: ['missing', 'missing'] })
      expect(beside).toEqual({ ...LOST_NOTHING, executor: 'worker', problems: [] })
    },
  )
})
