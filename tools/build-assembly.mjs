// Compiles what stands in the folders `assembly` of the source: `lz4.ts` there becomes `lz4-code.ts` beside the folder, which holds the
// WebAssembly as text, so that nothing has to be found, fetched or compiled when the store is used. With `--check` nothing is
// written, and it fails where a file would change.
import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { basename, dirname, join, relative } from 'node:path'
import { fileURLToPath } from 'node:url'
import asc from 'assemblyscript/asc'

const root = dirname(dirname(fileURLToPath(import.meta.url)))
const isCheck = process.argv.includes('--check')

const OPTIONS = ['-O3', '--shrinkLevel', '0', '--runtime', 'stub', '--noAssert', '--importMemory']

async function compile(source) {
  const outputs = new Map()
  const { error, stderr } = await asc.main([source, '--outFile', 'code.wasm', ...OPTIONS], {
    readFile: (name, base) => {
      try {
        return readFileSync(join(base, name), 'utf8')
      } catch {
        return null
      }
    },
    writeFile: (name, contents) => outputs.set(name, contents),
    listFiles: () => [],
  })
  if (error !== null) throw new Error(`${relative(root, source)} does not compile\n${stderr}`)
  return Buffer.from(outputs.get('code.wasm'))
}

function moduleOf(source, wasm) {
  const name = basename(source, '.ts')
  const lines = wasm.toString('base64').match(/.{1,110}/g)
  return [
    `// Made by \`npm run build:assembly\` of assembly/${name}.ts.`,
    `export const ${name.toUpperCase().replaceAll('-', '_')}_CODE =`,
    ...lines.map((line, i) => `  '${line}'${i + 1 < lines.length ? ' +' : ''}`),
    '',
  ].join('\n')
}

const sources = readdirSync(join(root, 'src'), { recursive: true })
  .filter((path) => /[/\\]assembly[/\\][^/\\]+\.ts$/.test(path))
  .map((path) => join(root, 'src', path))
for (const source of sources) {
  const target = join(dirname(dirname(source)), `${basename(source, '.ts')}-code.ts`)
  const made = moduleOf(source, await compile(source))
  let present = ''
  try {
    present = readFileSync(target, 'utf8')
  } catch {
    // There is none yet.
  }
  if (made === present) continue
  if (isCheck) {
    process.stderr.write(`${relative(root, target)} is not what is made of its source; run npm run build:assembly\n`)
    process.exitCode = 1
  } else {
    writeFileSync(target, made)
    process.stderr.write(`${relative(root, target)}\n`)
  }
}
