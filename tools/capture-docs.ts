import { spawn, spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { open } from '../src/index.js'

/*
 * `npm run docs:captures`: runs kv-cli and the tour, and draws what they print into docs/guide/images, as a terminal shows it.
 */

const root = dirname(dirname(dirname(fileURLToPath(import.meta.url))))
const BIN = join(root, 'dist/kv-cli/main.js')
const CELL_WIDTH = 8
const LINE_HEIGHT = 18
const MARGIN = 14

function draw(name: string, title: string, lines: readonly string[]): void {
  const columns = Math.max(...lines.map((line) => line.length))
  const width = columns * CELL_WIDTH + 2 * MARGIN
  const height = lines.length * LINE_HEIGHT + 2 * MARGIN
  const rows = lines.map((line, i) => {
    const y = MARGIN + (i + 0.75) * LINE_HEIGHT
    const colour = line.startsWith('$ ') ? '#8fd3a0' : '#d6d9dc'
    const text = line.replace(/&/g, '&amp;').replace(/</g, '&lt;').replace(/>/g, '&gt;')
    // A length for each line keeps columns straight, whatever the font of the reader.
    return line.trim() === ''
      ? ''
      : `  <text x="${MARGIN}" y="${y}" fill="${colour}" textLength="${line.length * CELL_WIDTH}" xml:space="preserve">${text}</text>\n`
  })
  const svg = `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" width="${width}" height="${height}" role="img">
  <title>${title}</title>
  <rect width="100%" height="100%" rx="6" fill="#1e2327"/>
  <g font-family="ui-monospace, SFMono-Regular, Menlo, Consolas, 'DejaVu Sans Mono', monospace" font-size="13" lengthAdjust="spacingAndGlyphs">
${rows.join('')}  </g>
</svg>
`
  writeFileSync(join(root, 'docs/guide/images', name), svg)
  process.stderr.write(`docs/guide/images/${name}\n`)
}

function kv(cwd: string, ...args: string[]): string[] {
  const { stdout, stderr, status } = spawnSync(process.execPath, [BIN, ...args], { cwd, encoding: 'utf8' })
  if (status !== 0) throw new Error(`kv-cli ${args.join(' ')}: ${stderr}`)
  return [`$ kv-cli ${args.join(' ')}`, ...stdout.trimEnd().split('\n')]
}

/** What `stats --watch` shows beside a process that writes: its last screen of a few. */
async function watched(cwd: string): Promise<string[]> {
  const args = ['stats', '--watch', '--every', '500ms']
  const child = spawn(process.execPath, [BIN, ...args], { cwd, stdio: ['ignore', 'pipe', 'inherit'] })
  let shown = ''
  const screens = (): string[] => shown.split(/^(?=\.\/data: )/m)
  const ended = new Promise((resolve) => child.on('close', resolve))
  const db = await open(join(cwd, 'data'), { writeBufferBytes: 1024 * 1024 })
  child.stdout.on('data', (chunk: Buffer) => {
    shown += chunk
  })
  for (let i = 0; screens().length < 5; i++) {
    for (let j = 0; j < 500; j++) db.putSync(`user:${(i * 500 + j * 7919) % 90_000}`, `visit ${i} of a user`)
    await new Promise((resolve) => setTimeout(resolve, 10))
  }
  child.kill('SIGINT')
  await ended
  await db.close()
  return [`$ kv-cli ${args.join(' ')}`, ...screens().at(-2)!.trimEnd().split('\n')]
}

const cwd = mkdtempSync(join(tmpdir(), 'siltstone-capture-'))
try {
  const db = await open(join(cwd, 'data'), { writeBufferBytes: 1024 * 1024 })
  const keyOf = (i: number): string => `user:${String((i * 61_803) % 100_000).padStart(5, '0')}`
  for (let i = 0; i < 100_000; i++) await db.put(keyOf(i), `name ${i}, born ${1900 + (i % 100)}, of house ${i % 977}`)
  await db.compact()
  // Few enough that no compaction thinks it is due, which would leave nothing to look at.
  for (let i = 0; i < 1500; i++) await db.del(`user:${20_000 + i * 10}`)
  await db.flush()
  for (let i = 0; i < 3000; i++) await db.put(keyOf(i * 5), 'moved away')
  await db.flush()
  await db.close()
  draw('cli-levels.svg', 'kv-cli levels', [...kv(cwd, 'levels'), '', ...kv(cwd, 'stats')])
  draw('cli-stats-watch.svg', 'kv-cli stats --watch', await watched(cwd))
  const { stdout } = spawnSync(process.execPath, [join(root, 'dist/tools/tour.js')], { cwd, encoding: 'utf8' })
  draw('tour.svg', 'npm start', ['$ npm start', ...stdout.trimEnd().split('\n')])
} finally {
  rmSync(cwd, { recursive: true, force: true })
}
