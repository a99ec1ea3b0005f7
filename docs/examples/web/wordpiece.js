// Texts as token ids, as BERT's tokenizers cut them (tokenizer.json whose model is WordPiece).

const BREAKS = /[\p{P}\p{S}]/u; // every sign is a word of its own
const HAN = /[\u4e00-\u9fff\u3400-\u4dbf\uf900-\ufaff]/u; // so is every Chinese character

export class WordPiece {
  constructor(declared, longest) {
    if (declared.model.type !== "WordPiece") {
      throw new Error(`a tokenizer of the kind ${declared.model.type}; this page reads WordPiece`);
    }
    this.words = new Map(Object.entries(declared.model.vocab));
    this.lower = declared.normalizer?.lowercase ?? true;
    this.prefix = declared.model.continuing_subword_prefix ?? "##";
    this.longest = longest;
  }

  encode(text) {
    const found = this.split(text).flatMap((word) => this.pieces(word));
    const kept = found.slice(0, this.longest - 2);
    return [this.words.get("[CLS]"), ...kept, this.words.get("[SEP]")];
  }

  split(text) {
    let read = text.replace(/\p{Cc}/gu, " ");
    if (this.lower) read = read.toLowerCase().normalize("NFD").replace(/\p{Mn}/gu, "");
    const apart = [...read].map((one) => (BREAKS.test(one) || HAN.test(one) ? ` ${one} ` : one));
    return apart.join("").split(/\s+/u).filter(Boolean);
  }

  pieces(word) {
    const letters = [...word], found = [];
    if (letters.length > 100) return [this.words.get("[UNK]")];
    for (let start = 0; start < letters.length; ) {
      let end = letters.length, id;
      for (; end > start; end--) {
        id = this.words.get((start ? this.prefix : "") + letters.slice(start, end).join(""));
        if (id !== undefined) break;
      }
      if (end === start) return [this.words.get("[UNK]")];
      found.push(id);
      start = end;
    }
    return found;
  }
}
