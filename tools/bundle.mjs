// Puts kv-cli into a few files, dist/kv-cli: the loader of Node takes 0.4 ms for each of the 190 that a `kv-cli get` needs else.
import { existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { rolldown } from 'rolldown'

const root = dirname(dirname(fileURLToPath(import.meta.url)))
const target = join(root, 'dist/kv-cli')

/** The two workers are found by their names, beside the file that starts them. */
const input = {
  main: join(root, 'dist/tools/kv-cli/main.js'),
  'siltstone-worker': join(root, 'dist/src/tree/siltstone-worker.js'),
  'siltstone-shard-worker': join(root, 'dist/src/shard/siltstone-shard-worker.js'),
}

/** What is copied into the bundle comes with its licence. */
function licences(moduleIds) {
  const packages = new Set(moduleIds.flatMap((id) => /^.*\/node_modules\/(?:@[^/]+\/)?[^/]+/.exec(id)?.[0] ?? []))
  return [...packages].sort().map((home) => {
    const { name, version, license, author } = JSON.parse(readFileSync(join(home, 'package.json'), 'utf8'))
    const by = typeof author === 'object' ? author.name : author
    const file = readdirSync(home).find((each) => /^licen[cs]e/i.test(each))
    const text =
      file === undefined ? `${license}, by ${by ?? 'its authors'}` : readFileSync(join(home, file), 'utf8').trim()
    return `${name} ${version}\n\n${text}\n`
  })
}

const bundle = await rolldown({ input, platform: 'node', external: ['classic-level'] })
rmSync(target, { recursive: true, force: true })
const { output } = await bundle.write({
  dir: target,
  format: 'esm',
  entryFileNames: '[name].js',
  chunkFileNames: '[name]-[hash].js',
  // Names stay, so that a stack trace can be read.
  minify: { compress: false, mangle: false, codegen: true },
})
await bundle.close()
if (!existsSync(join(target, 'main.js'))) throw new Error('There is no dist/kv-cli/main.js')
const ids = output.flatMap((file) => (file.type === 'chunk' ? file.moduleIds : []))
writeFileSync(join(target, 'LICENSES.txt'), licences(ids).join(`\n${'-'.repeat(80)}\n\n`))
