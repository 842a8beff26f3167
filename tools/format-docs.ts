import { readFileSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

/*
 * docs/format is made of the drawings at the heads of the files that write the bytes: `npm run docs:format` writes the pages
 * anew, and a test says when they are not what the sources say.
 */

interface Page {
  readonly name: string
  readonly title: string
  readonly sources: readonly string[]
}

const PAGES: readonly Page[] = [
  { name: 'files', title: 'The files of a store', sources: ['src/tree/file-names.ts'] },
  {
    name: 'log',
    title: 'Log files: the commit log and the manifest',
    sources: ['src/log/log-header.ts', 'src/log/record.ts'],
  },
  { name: 'commit-log', title: 'What a commit-log record holds', sources: ['src/log/operation.ts'] },
  { name: 'manifest', title: 'The manifest', sources: ['src/tree/manifest-file.ts', 'src/tree/manifest-edit.ts'] },
  {
    name: 'table',
    title: 'Tables',
    sources: [
      'src/table/footer.ts',
      'src/table/envelope.ts',
      'src/table/block.ts',
      'src/table/index-node.ts',
      'src/table/filter.ts',
      'src/table/properties.ts',
      'src/bytes/range-tombstones.ts',
    ],
  },
  {
    name: 'backups',
    title: 'A directory of backups',
    sources: ['src/store/backup/backup-record.ts'],
  },
  {
    name: 'indexes',
    title: 'Indexes',
    sources: ['src/store/indexes/index-entry.ts', 'src/store/indexes/tuple.ts'],
  },
  {
    name: 'shards',
    title: 'A sharded store',
    sources: ['src/shard/ownership-directory.ts', 'src/shard/shard-mark.ts'],
  },
  { name: 'integers', title: 'Integers', sources: ['src/bytes/integers.ts'] },
]

/** The text of the first block comment of a source that is not a doc comment. */
function drawingOf(source: string, path: string): string {
  const comment = /^\/\*\n([\s\S]*?)^ \*\/$/m.exec(source)
  if (comment === null) throw new Error(`${path} has no drawing at its head`)
  return comment[1]!.replace(/^ \* ?/gm, '').trimEnd()
}

/** A comment as Markdown: its indented drawings become code blocks. */
function markdownOf(text: string): string {
  const lines: string[] = []
  let inDrawing = false
  for (const line of text.split('\n')) {
    const isDrawing: boolean = line.startsWith('  ') || (inDrawing && line === '')
    if (isDrawing !== inDrawing) lines.push(isDrawing ? '```text' : '```')
    inDrawing = isDrawing
    lines.push(inDrawing ? line.replace(/^ {2}/, '') : line)
  }
  if (inDrawing) lines.push('```')
  return lines
    .join('\n')
    .replace(/\n+```(\n|$)/g, '\n```\n$1')
    .trimEnd()
}

/** The pages as they should be, by path below docs/format. */
export function formatPages(root: string): Map<string, string> {
  const pages = new Map<string, string>()
  const index = [
    '# File formats',
    '',
    'Made from the heads of the sources that write the bytes (`npm run docs:format`).',
    '',
  ]
  for (const { name, title, sources } of PAGES) {
    index.push(`* [${title}](${name}.md)`)
    const parts = sources.map((path) => {
      const drawing = markdownOf(drawingOf(readFileSync(join(root, path), 'utf8'), path))
      return `## [${path}](../../${path})\n\n${drawing}`
    })
    pages.set(`${name}.md`, `# ${title}\n\n${parts.join('\n\n')}\n`)
  }
  pages.set('README.md', `${index.join('\n')}\n`)
  return pages
}

const here = fileURLToPath(import.meta.url)
if (process.argv[1] === here) {
  // From dist/tools to the root.
  const root = join(dirname(here), '..', '..')
  for (const [name, text] of formatPages(root)) writeFileSync(join(root, 'docs/format', name), text)
}
