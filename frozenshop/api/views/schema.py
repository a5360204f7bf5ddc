"""The published description of the API."""

from drf_spectacular.views import SpectacularAPIView


class PublicSchemaView(SpectacularAPIView):
    """Described to everybody: it holds no secret, and the shop's own developers read it first."""
