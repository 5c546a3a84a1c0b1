/**
 * The vocabulary of the prose that people read: pages, Pulumi.yaml, descriptions of settings and policies, and the comments and messages of
 * the sources. CONTRIBUTING.md states the reasons.
 */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import ts from "typescript";
import { describe, expect, test } from "vitest";
import { policies } from "../../policy/policies.ts";
import { schema } from "../../stack/settings/schema.ts";
import type { Setting } from "../../stack/settings/setting.ts";
import { program } from "../support/project.ts";

interface Rule {
  /** What is refused. A space stands for any white space, so that a phrase is found across a line break. */
  readonly phrase: RegExp;
  readonly instead: string;
  readonly wrong: readonly string[];
  /** Sentences with the same words that are not refused. */
  readonly right?: readonly string[];
}

const rules: readonly Rule[] = [
  {
    phrase: /\bmade up\b/i,
    instead: "generated",
    wrong: ["The name is made up."],
  },
  {
    phrase: /\bfor good(?=[.,;:)]| (?:and|or|if|when|once)\b)/i,
    instead: "permanently",
    wrong: ["The token is dead for good."],
    right: ["The queue keeps places for good tokens."],
  },
  {
    phrase:
      /\bof (?:its|their|your|our) own\b(?! (?!(?:and|or|to|in|on|at|for|with|that|which|is|are|takes)\b)[\w`])|\bof (?:the|a) [\w-]+['’]s own(?=\s*[.,;:)]| (?:is|are|and|or)\b)/i,
    instead: 'a noun after "own" ("its own port"), "separate" or "dedicated"',
    wrong: ["It has a port of its own.", "A link of its own to it.", "An audience of the gateway's own is better."],
    right: [
      "It has its own port.",
      "The log of your own program.",
      "The tests run the code of the product's own server.",
    ],
  },
  {
    phrase: /\b(?:whoever|whomever|nobody|anybody|everybody)\b/i,
    instead: "the actor: a user who …, a workload that …, any caller that …",
    wrong: ["Whoever reads the Secret holds the token."],
  },
  {
    phrase: /\bbehind (?:it|them|(?:its|the) name|the [\w-]+['’]s back)\b|\b(?:leaves?|left) behind\b/i,
    instead: "a suffix, or: after, outside of, orphaned",
    wrong: ["The epoch is behind the name.", "What a killed run left behind is named."],
    right: ["The gateway is behind a load balancer."],
  },
  {
    phrase: /\b(?:an|own) end\b(?! of\b)|\b(?:until|past|before|to) (?:its|their) end\b/i,
    instead: "expire, expiry",
    wrong: ["A token with an end.", "It is valid until its end."],
    right: ["At the end of the run.", "Each line has an end of line character."],
  },
  {
    phrase:
      /\b(?:token|certificate|credential|session)s? (?:that |which )?end(?:s|ed)?\b|\bwhat ends(?= when\b|[.,;:])/i,
    instead: "expire, or: is revoked",
    wrong: ["The certificate ends.", "It renews what ends; a preview is the alarm.", "A session that ended."],
    right: ["The job ends with status 7."],
  },
  {
    phrase: /\b(?:told|tells)\b/i,
    instead: "reports, says, lists, distinguishes, is configured with",
    wrong: ["The verifier is told its audience.", "The page tells what is found."],
  },
  {
    phrase:
      /(?<![\w-]|\b(?:that|it|this) )takes(?=\s*[\]),.;:|])|(?<=^|[.!?|] )Takes (?=`)|\btakes the (?:rights?|same)\b/m,
    instead: "needs, accepts, removes",
    wrong: ["The least that each flow takes, as roles.", "Takes `products: [consul]`.", "It takes the same flags."],
    right: [
      "A run takes about 600 MB.",
      "It says how long that takes.",
      "Takes the CA from the host.",
      "It takes the place of an idle one.",
    ],
  },
  {
    phrase: /\bleaves? (?:the|both|all) lists?\b/i,
    instead: "is removed from",
    wrong: ["An epoch that leaves the list."],
  },
  {
    phrase: /\b(?:answers?|says?) ["“](?:no|yes)["”]/i,
    instead: "rejects, refuses, allows",
    wrong: ['The API server answers "no".'],
  },
  {
    phrase:
      /\b(?:is|are|was|were|be|been) made\b(?! (?:of|from)\b)|\b(?:stack|release|flow|component|product)s? makes?\b/i,
    instead: "is created, is sent, creates",
    wrong: ["It stops before anything is made.", "What a stack makes is listed."],
    right: ["An image is made of files."],
  },
  {
    phrase: /(?<=^[^\S\n]*["`]?|[.!?:] |\*\*|^[-*] )(?:What|Who) (?!to\b)[^.?:|]*[.:|]/m,
    instead: "a noun as the subject, not a relative clause",
    wrong: ["What others add to an object is not drift.", "- **What is not known yet passes.**"],
    right: ["What is a token? It is text.", "## What a refresh finds", "What to know."],
  },
  {
    phrase: /\bvouch(?:es|ed)?\b|\bcomes? to see\b|\bfound out\b|\ba moment ago\b/i,
    instead: "confirm, point to, determine, within the cooldown",
    wrong: ["A stack that comes to see another cluster stops.", "It could not be found out."],
  },
];

/** Phrases that are right where they are. An exception that no longer applies fails. */
const exceptions: readonly { readonly where: string; readonly phrase: string; readonly reason: string }[] = [];

/** Text without code, link targets and comments, at the same offsets. */
function prose(markdown: string): string {
  const blank = (text: string) => text.replace(/[^\n]/g, " ");
  return markdown
    .replace(/^( *)(```|~~~)[^\n]*\n[\s\S]*?^\1\2/gm, blank)
    .replace(/<!--[\s\S]*?-->/g, blank)
    .replace(/`[^`\n]+`/g, (code) => "`".repeat(code.length))
    .replace(/\]\([^)\s]*\)/g, (target) => `]${" ".repeat(target.length - 1)}`);
}

/** Sources of the repository, without this file, which quotes refused phrases. */
function sources(): string[] {
  const folders = readdirSync(program, { withFileTypes: true }).filter(
    (entry) => entry.isDirectory() && !/^(?:\.|dist$|node_modules$)/.test(entry.name),
  );
  const nested = folders.flatMap(({ name }) =>
    readdirSync(join(program, name), { recursive: true, encoding: "utf8" }).map((path) => join(name, path)),
  );
  return ["index.ts", "vitest.config.ts", ...nested].filter(
    (path) =>
      /\.(?:ts|mjs|cjs)$/.test(path) && !path.includes("node_modules") && join(program, path) !== import.meta.filename,
  );
}

/** Comments and texts of a module, at the same lines. */
function proseOfSource(path: string): string {
  const text = readFileSync(join(program, path), "utf8");
  const source = ts.createSourceFile(path, text, ts.ScriptTarget.Latest);
  // By start: nodes that start at one place share their comments.
  const ranges = new Map<number, ts.TextRange>();
  const visit = (node: ts.Node) => {
    const comments = [
      ...(ts.getLeadingCommentRanges(text, node.getFullStart()) ?? []),
      ...(ts.getTrailingCommentRanges(text, node.getEnd()) ?? []),
    ];
    for (const comment of comments) ranges.set(comment.pos, comment);
    if (ts.isStringLiteralLike(node) || ts.isTemplateLiteralToken(node)) ranges.set(node.getStart(source), node);
    for (const child of node.getChildren(source)) visit(child);
  };
  visit(source);
  const prose = text.replace(/[^\n]/g, " ").split("");
  for (const [start, { end }] of ranges) {
    // Each line of a doc comment starts with a mark that is no word. The quotes of literals stay, so that no phrase spans two of them.
    const words = text.slice(start, end).replace(/^ *(?:\/?\*+\/?|\/\/)|\*\/$/gm, (mark) => " ".repeat(mark.length));
    for (const [index, character] of words.split("").entries()) prose[start + index] = character;
  }
  return prose.join("");
}

/** Text of the repository that people read, by page or module. */
function texts(): ReadonlyMap<string, string> {
  const pages = readdirSync(program, { recursive: true, encoding: "utf8" }).filter(
    (path) => path.endsWith(".md") && !path.includes("node_modules"),
  );
  const settings = Object.entries(schema as Readonly<Record<string, Setting>>).map(
    ([name, { description, unset = "" }]) => [`setting ${name}`, `${description}\n\n${unset}`] as const,
  );
  const rulesOfPack = policies.map(
    ({ name, description, remediationSteps = "" }) =>
      [`policy ${name}`, `${description}\n\n${remediationSteps}`] as const,
  );
  const file = (path: string) => [path, readFileSync(join(program, path), "utf8")] as const;
  const modules = sources().map((path) => [path, proseOfSource(path)] as const);
  return new Map([...[...pages, "Pulumi.yaml"].map(file), ...settings, ...rulesOfPack, ...modules]);
}

function refused(text: string) {
  const plain = prose(text);
  return rules.flatMap(({ phrase, instead }) =>
    [...plain.matchAll(new RegExp(phrase.source.replaceAll(" ", "\\s+"), `${phrase.flags}g`))].map((match) => ({
      line: text.slice(0, match.index).split("\n").length,
      phrase: match[0].replace(/\s+/g, " "),
      instead,
    })),
  );
}

const all = texts();

describe("refuses", () => {
  test.each(rules)("$phrase", (rule) => {
    const found = (text: string) => refused(text).filter(({ instead }) => instead === rule.instead);
    expect(rule.wrong.filter((text) => found(text).length === 0)).toEqual([]);
    expect((rule.right ?? []).filter((text) => found(text).length > 0)).toEqual([]);
  });

  test("no phrase in code, in a link's target or in a comment", () => {
    expect(refused("`made up` [page](made-up.md)\n\n```sh\necho made up\n```\n<!-- made up -->")).toEqual([]);
  });

  test("a phrase across a line break, with its line", () => {
    expect(refused("One line.\nThe name is made\n  up.")).toContainEqual({
      line: 2,
      phrase: "made up",
      instead: "generated",
    });
  });
});

test.each([...all.keys()])("%s uses the words of the field", (where) => {
  const excepted = exceptions.filter((exception) => exception.where === where).map(({ phrase }) => phrase);
  const found = refused(all.get(where) ?? "").filter(({ phrase }) => !excepted.includes(phrase));
  expect(found.map(({ line, phrase, instead }) => `${where}:${line}: "${phrase}". Write: ${instead}`)).toEqual([]);
});

test("every exception is needed", () => {
  const needed = ({ where, phrase }: (typeof exceptions)[number]) =>
    refused(all.get(where) ?? "").some((found) => found.phrase === phrase);
  expect(exceptions.filter((exception) => !needed(exception))).toEqual([]);
});
