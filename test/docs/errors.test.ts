import { readFileSync } from 'node:fs'
import ts from 'typescript'
import { describe, expect, it } from 'vitest'

const page = readFileSync('docs/errors.md', 'utf8')
const sections = page.split(/^## /m).slice(1)

/** The codes as the type lists them. */
function codes(): string[] {
  const file = 'src/bytes/errors.ts'
  const source = ts.createSourceFile(file, readFileSync(file, 'utf8'), ts.ScriptTarget.Latest)
  const alias = source.statements.find(
    (node): node is ts.TypeAliasDeclaration =>
      ts.isTypeAliasDeclaration(node) && node.name.text === 'SiltstoneErrorCode',
  )!
  return (alias.type as ts.UnionTypeNode).types.map(
    (type) => ((type as ts.LiteralTypeNode).literal as ts.StringLiteral).text,
  )
}

describe('the page of errors', () => {
  it('has one section for each code and none for anything else, in order', () => {
    const titles = sections.map((section) => section.slice(0, section.indexOf('\n')))
    expect(titles).toEqual(codes().sort())
    expect(titles.length).toBeGreaterThan(15)
  })

  it.each(sections.map((section) => [section.slice(0, section.indexOf('\n')), section]))(
    'says of %s what it means, when it happens and what to do',
    (_, section) => {
      for (const part of ['**Means** that', '**Happens**', '**Do** ']) expect(section).toContain(part)
    },
  )

  it('leads to each section from its table', () => {
    const links = [...page.matchAll(/\]\(#([a-z_]+)\)/g)].map(([, anchor]) => anchor!.toUpperCase())
    expect([...new Set(links)].sort()).toEqual(codes().sort())
  })
})
