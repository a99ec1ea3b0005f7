"""What columns are called, in the languages people label in; a hint, never a proof."""

from __future__ import annotations

import re


def _set(*lines: str) -> frozenset[str]:
    return frozenset(word for line in lines for word in line.split())


TEXT = _set(
    "text texts review sentence content message comment body document article tweet post",
    "description question utterance query title headline abstract summary snippet passage",
    "texte avis commentaire phrase contenu titre",
    "texto reseña comentario mensaje contenido oración avaliação comentário mensagem conteúdo",
    "bewertung kommentar satz nachricht inhalt titel beschreibung",
    "testo recensione commento messaggio tekst",
    "текст отзыв комментарий сообщение",
    "文本 内容 评论 句子 正文 标题 留言 テキスト 本文 レビュー 텍스트 내용 리뷰 نص",
)
"""Names of columns that are read."""

PICTURE = _set(
    "image images img picture pictures photo photos file_name filename file path image_path",
    "bild foto imagen imagem immagine 图片 图像 画像 이미지 изображение",
)
"""Names of columns that hold pictures, or where they are."""

AUDIO = _set(
    "audio audios sound sounds recording recordings clip clips wav wave path file file_name",
    "filename audio_path audio_file audio_filepath aufnahme ton enregistrement grabación 音频 録音",
)
"""Names of columns that hold recordings, or where they are."""

SPEAKER = _set("speaker speakers speaker_id spk client_id voice sprecher locuteur hablante 说话人")
"""Names of columns that say who speaks."""

LABEL = _set(
    "label labels class target targets y gold",
    "étiquette etiqueta rótulo etichetta 标签 类别 метка ラベル 레이블",
)
"""Names that say outright that this is the answer."""

LABEL_LIKE = _set(
    "category categories sentiment topic topics tag tags intent genre rating polarity emotion",
    "stance stars score type kind spam toxic",
    "catégorie classe sujet categoría clase tema polaridad categoria kategorie klasse thema",
    "stimmung argomento 分类 情感 类型 主题 класс категория тема тональность カテゴリ 카테고리",
)
"""Names that an answer often has, and other columns too."""

TARGET = _set(
    "target y price value amount cost score sales revenue income salary rating demand quantity",
    "progression outcome response preis wert prix valeur precio valor prezzo 价格 цена 価格",
)
"""Names that a measured answer often has."""

ROW_NUMBER = _set("id uuid guid index idx nr no row key")
"""Names of columns that only count or name the rows."""

SPLIT = _set("split set subset partition 数据集")
"""Names of columns that say on which side a row is."""

NEVER = _set(
    "id uuid guid index idx nr no number key hash url link file filename path",
    "date time timestamp datetime created updated year month day",
    "user userid author customer email lang language split set subset partition fold weight",
)
"""Names whose columns are not guessed to be a text or an answer."""

_BOUNDARY = re.compile(r"(?<=[a-zß-ÿ])(?=[A-Z])|[\W_]+")


USER = _set(
    "user user_id userid users customer customer_id person person_id visitor visitor_id member",
    "member_id reader reader_id client client_id account account_id uid listener buyer session",
    "session_id reviewerid utilisateur kunde nutzer usuario cliente 用户 会员",
)
"""Names of columns that say who did something."""

ITEM = _set(
    "item item_id itemid items product product_id productid sku article_id movie movie_id movieid",
    "film film_id book book_id isbn song song_id track track_id podcast episode asin iid artikel",
    "produit producto produkt 商品 物品",
)
"""Names of columns that say with which item."""

MOMENT = _set("timestamp time date datetime created created_at ts when unixreviewtime zeit fecha")
"""Names of columns that say when."""

RATING = _set("rating ratings score stars overall note bewertung puntuación")
"""Names of columns that say how much somebody liked it."""

CATEGORY = _set(
    "genre genres category categories class classes tag tags type topic topics department",
    "kategorie catégorie categoría",
)
"""Names of columns that hold one or more categories of an item."""


def words(name: str) -> tuple[str, ...]:
    """``"reviewText"`` and ``"review_text"`` are both ("review", "text")."""
    return tuple(part.casefold() for part in _BOUNDARY.split(name) if part)


def is_exactly(name: str, names: frozenset[str]) -> bool:
    return name.strip().casefold() in names


def has_word(name: str, names: frozenset[str]) -> bool:
    return any(word in names for word in words(name))
