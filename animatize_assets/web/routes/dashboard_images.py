"""``/images``: the gallery, one image, its pictures side by side, and its download.

Belongs here: these routes. Does not belong here: what they show (``web.dashboard``), the other
views (``dashboard``).
"""

from __future__ import annotations

from typing import Annotated, Final

from fastapi import APIRouter, Query, Request, Response
from starlette.responses import StreamingResponse

from animatize_assets.web.dashboard.pictures import (
    MOVES,
    PROVIDERS,
    STATES,
    Filters,
    chunks,
    pack,
    read_gallery,
    usable_providers,
)
from animatize_assets.web.dashboard.showing import must_sign_in, shown, sign_in_first
from animatize_assets.web.dashboard.side_by_side import side_by_side
from animatize_assets.web.dependencies import ServiceDep
from animatize_assets.web.routes import images
from animatize_assets.web.routes.image_pictures import told_of
from animatize_assets.web.routes.images import ImageKey
from animatize_assets.web.rules import public
from animatize_assets.workplace.earlier_pictures import pictures_of

router = APIRouter(tags=["dashboard"], include_in_schema=False)

LONGEST_CHOICE: Final = 64
"""Of a provider, a run, or the number of a request."""

Chosen = Annotated[str, Query(max_length=LONGEST_CHOICE, description="request, provider or run")]


@router.get("/images")
@public
def gallery(
    request: Request, service: ServiceDep, filters: Annotated[Filters, Query()]
) -> Response:
    """Show a page of the images."""
    if must_sign_in(request):
        return sign_in_first()
    return shown(
        request,
        "images.html.j2",
        view="images",
        title="Images",
        gallery=read_gallery(service, filters),
        usable=usable_providers(service),
        states=STATES,
        moves=MOVES,
        providers=PROVIDERS,
    )


@router.get("/images/{image_key:image_key}")
@public
def image_card(image_key: ImageKey, request: Request, service: ServiceDep) -> Response:
    """Show everything known of one image."""
    if must_sign_in(request):
        return sign_in_first()
    image = images.image(image_key, service)
    return shown(
        request,
        "image.html.j2",
        view="images",
        title=image.source_image.original_name,
        image=image,
    )


@router.get("/images/{image_key:image_key}/pictures")
@public
def image_pictures(
    image_key: ImageKey,
    request: Request,
    service: ServiceDep,
    left: Chosen = "",
    right: Chosen = "",
) -> Response:
    """Show two pictures that an image was given, such as of two providers or of two runs."""
    if must_sign_in(request):
        return sign_in_first()
    found = [told_of(image_key, each) for each in pictures_of(service.workplace, image_key)]
    return shown(
        request,
        "pictures.html.j2",
        view="images",
        title=f"Pictures of {service.images.get(image_key).original_name}",
        image_key=image_key,
        two=side_by_side(found, left.strip(), right.strip()),
    )


@router.get("/images/{image_key:image_key}/download")
def download(image_key: ImageKey, service: ServiceDep) -> Response:
    """Send what was made of an image, with the recipe."""
    archive = pack(service, images.image(image_key, service))
    name = f'attachment; filename="{image_key}.zip"'
    return StreamingResponse(
        chunks(archive), media_type="application/zip", headers={"Content-Disposition": name}
    )
